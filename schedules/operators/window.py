"""What convolutions with a window share: padding, and what a row of the output reads."""

from dataclasses import dataclass
from typing import Any

from tvm import te, tirx

from mobilebench.schedules.operators.products import FLOATS, Products

WINDOW = "mobilebench.window"  # annotation of a core block: stride, padding and taps of its rows
PADDED = "padded"  # the block that `pad` makes


@dataclass(frozen=True)
class Window:
    """How a convolution's window moves over an image."""

    stride: tuple[int, int]
    padding: tuple[int, int, int, int]  # top, left, bottom, right
    dilation: tuple[int, int] = (1, 1)


def pad(
    data: te.Tensor, axis: int, padding: tuple[int, int, int, int], products: Products = FLOATS
) -> te.Tensor:
    """Return data with a border around its pixels, whose rows are counted along `axis`.

    Columns are counted along the next axis; `padding` is top, left, bottom, right.
    """
    top, left, bottom, right = padding
    shape = [int(extent) for extent in data.shape]
    height, width = shape[axis : axis + 2]
    shape[axis] += top + bottom
    shape[axis + 1] += left + right

    def read(*at: Any) -> Any:
        y, x = at[axis], at[axis + 1]
        source = [*at[:axis], y - top, x - left, *at[axis + 2 :]]
        return tirx.if_then_else(
            tirx.all(y >= top, y < height + top, x >= left, x < width + left),
            data[tuple(source)],
            products.beyond(data),
        )

    return te.compute(tuple(shape), read, name=PADDED)


def pixels_after(
    size: tuple[int, int],
    taps: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int] = (1, 1),
) -> tuple[int, int]:
    """Return height and width of a convolution's output."""
    top, left, bottom, right = padding
    height = (size[0] + top + bottom - (taps[0] - 1) * dilation[0] - 1) // stride[0] + 1
    width = (size[1] + left + right - (taps[1] - 1) * dilation[1] - 1) // stride[1] + 1
    return height, width
