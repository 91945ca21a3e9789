"""Convolutions with a window over all channels, dilated ones too."""

from typing import Any

from tvm import te, tirx

from schedules.operators.window import PADDED, pixels_after

CORE = "convolution_product"


def compute(
    data: te.Tensor,
    weight: te.Tensor,
    outputs: int,
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int],
) -> te.Tensor:
    """Return the convolution (1, H', W', outputs) of data (1, H, W, K) by packed weights.

    Weights are (panels, R, S, K, lanes); `padding` is top, left, bottom, right. Rows get their
    padding from a copy, so that what is read beside the image is zero; of columns and rows alike it
    is written down where there is something to multiply.
    """
    _, height, width, inputs = (int(extent) for extent in data.shape)
    panels, taps_y, taps_x, _, lanes = (int(extent) for extent in weight.shape)
    top, left, _, right = padding
    out_height, out_width = pixels_after(
        (height, width), (taps_y, taps_x), stride, padding, dilation
    )
    zero = tirx.const(0.0, data.dtype)

    def with_columns(n: Any, y: Any, x: Any, k: Any) -> Any:
        inside = tirx.all(x >= left, x < width + left)
        return tirx.if_then_else(inside, data[n, y, x - left, k], zero)

    wide = te.compute((1, height, left + width + right, inputs), with_columns, name=PADDED)
    tap_y, tap_x = te.reduce_axis((0, taps_y), "tap_y"), te.reduce_axis((0, taps_x), "tap_x")
    k = te.reduce_axis((0, inputs), "k")

    def term(n: Any, y: Any, x: Any, c: Any) -> Any:
        row = y * stride[0] + tap_y * dilation[0] - top
        column = x * stride[1] + tap_x * dilation[1]
        inside = tirx.all(row >= 0, row < height, column >= left, column < width + left)
        value = tirx.if_then_else(inside, wide[n, row, column, k], zero)
        return te.sum(
            value * weight[c // lanes, tap_y, tap_x, k, c % lanes], axis=[tap_y, tap_x, k]
        )

    product = te.compute((1, out_height, out_width, panels * lanes), term, name=CORE)
    return te.compute(
        (1, out_height, out_width, outputs),
        lambda n, y, x, c: product[n, y, x, c],
        name="convolution",
    )
