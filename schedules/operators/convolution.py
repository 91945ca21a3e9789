"""Convolutions with a window over all channels, dilated ones too."""

from typing import Any

from tvm import te, tirx

from mobilebench.schedules.operators.products import FLOATS, Products, narrowed
from mobilebench.schedules.operators.window import Window, pad, pixels_after

CORE = "convolution_product"
COLUMNS = "mobilebench.columns"
"""Annotation of the core block: stride, padding at the left and dilation, and the input's width."""


def compute(
    data: te.Tensor,
    weight: te.Tensor,
    outputs: int,
    window: Window,
    *,
    skippable: bool = False,
    products: Products = FLOATS,
) -> te.Tensor:
    """Return the convolution (1, H', W', outputs) of data (1, H, W, K) by packed weights.

    Weights are (panels, R, S, K, lanes). Zeros around the
    image come from a padded copy. If padding is to be skippable, the copy has none above and below,
    and each step has a condition that says whether what it reads is the image.
    """
    _, height, width, _ = (int(extent) for extent in data.shape)
    panels, taps_y, taps_x, _, lanes = (int(extent) for extent in weight.shape)
    stride, padding, dilation = window.stride, window.padding, window.dilation
    top, left, _, right = padding
    out_height, out_width = pixels_after(
        (height, width), (taps_y, taps_x), stride, padding, dilation
    )
    padded = pad(data, 1, (0, left, 0, right) if skippable else padding, products)
    values = products.channels(padded)
    tap_y, tap_x = te.reduce_axis((0, taps_y), "tap_y"), te.reduce_axis((0, taps_x), "tap_x")
    k = te.reduce_axis((0, int(values.shape[3])), "k")

    def read(n: Any, y: Any, x: Any) -> Any:
        row, column = y * stride[0] + tap_y * dilation[0], x * stride[1] + tap_x * dilation[1]
        if not skippable:
            return values[n, row, column, k]
        row -= top
        inside = tirx.all(row >= 0, row < height, column >= left, column < width + left)
        return tirx.if_then_else(inside, values[n, row, column, k], products.beyond(values))

    product = te.compute(
        (1, out_height, out_width, panels * lanes),
        lambda n, y, x, c: te.sum(
            products.multiply(read(n, y, x), weight[c // lanes, tap_y, tap_x, k, c % lanes]),
            axis=[tap_y, tap_x, k],
        ),
        name=CORE,
        attrs={
            COLUMNS: [stride[1], left, dilation[1], width],
            **products.summed(taps_y, taps_x, padded.shape[-1]),
        },
    )
    convolved = te.compute(
        (1, out_height, out_width, outputs),
        lambda n, y, x, c: product[n, y, x, c],
        name="convolution",
    )
    return narrowed(convolved, data.dtype, "stored")


def with_border(
    total: te.Tensor, beyond: te.Tensor, rows: te.Tensor, columns: te.Tensor
) -> te.Tensor:
    """Return sums (1, H', W', C) of bytes with what the skipped padding adds.

    `beyond`, (kinds of rows, kinds of columns, C), has the sums over taps outside the image, and
    `rows`, (H',), and `columns`, (W',), say of which kind a pixel is.
    """
    return te.compute(
        total.shape,
        lambda n, y, x, c: total[n, y, x, c] + beyond[rows[y], columns[x], c],
        name="with_border",
    )
