"""What convolutions with a window share: padding, and what a row of the output reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
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


def pixels_inside(
    size: Sequence[int], taps: Sequence[int], window: Window
) -> list[tuple[NDArray[np.int32], NDArray[np.int64]]]:
    """Return, for rows and for columns of an output, which taps read the image and no padding.

    Each is a number for every row or column, and for every such number 1 or 0 by tap.
    """
    found = []
    for axis in (0, 1):
        before, after = window.padding[axis], window.padding[axis + 2]
        step, apart = window.stride[axis], window.dilation[axis]
        extent = (size[axis] + before + after - (taps[axis] - 1) * apart - 1) // step + 1
        read = np.arange(extent)[:, None] * step + np.arange(taps[axis]) * apart - before
        inside = ((read >= 0) & (read < size[axis])).astype(np.int64)
        kinds, numbers = np.unique(inside, axis=0, return_inverse=True)
        found.append((numbers.reshape(-1).astype(np.int32), kinds))
    return found
