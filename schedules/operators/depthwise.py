"""Depthwise convolutions."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tvm import te, tirx

from mobilebench.schedules.operators.dot_product import BYTES, PAIR, joined, weight_words, word_of
from mobilebench.schedules.operators.products import FLOATS, WORDS, Products, narrowed
from mobilebench.schedules.operators.window import WINDOW, Window, pad, pixels_after

CORE = "depthwise_sum"
COLUMNS = "columns"  # the block that `columns` makes


def compute(
    data: te.Tensor,
    weight: te.Tensor,
    window: Window,
    products: Products = FLOATS,
) -> te.Tensor:
    """Return the convolution of data (1, H, W, C) by weights (R, S, C)."""
    stride, padding, dilation = window.stride, window.padding, window.dilation
    _, height, width, channels = (int(extent) for extent in data.shape)
    taps = int(weight.shape[0]), int(weight.shape[1])
    out_height, out_width = pixels_after((height, width), taps, stride, padding, dilation)
    padded = pad(data, 1, padding, products)
    tap_y, tap_x = te.reduce_axis((0, taps[0]), "tap_y"), te.reduce_axis((0, taps[1]), "tap_x")
    total = te.compute(
        (1, out_height, out_width, channels),
        lambda n, y, x, c: te.sum(
            products.multiply(
                padded[
                    n, y * stride[0] + tap_y * dilation[0], x * stride[1] + tap_x * dilation[1], c
                ],
                weight[tap_y, tap_x, c],
            ),
            axis=[tap_y, tap_x],
        ),
        name=CORE,
        attrs={WINDOW: [stride[0], padding[0], (taps[0] - 1) * dilation[0] + 1]},
    )
    return narrowed(total, data.dtype, "depthwise")


def row_words(weight: NDArray[np.int8], word: int) -> NDArray[np.signedinteger]:
    """Return weights (R, S, C) as words (ceil(R / word), S, C) of what a column has in some rows.

    There are few, so that those of words of two are widened beforehand.
    """
    rows, columns, channels = weight.shape
    groups = -(-rows // word)
    padded = np.zeros((groups * word, columns, channels), np.int16 if word == PAIR else np.int8)
    padded[:rows] = weight
    return weight_words(padded.reshape(groups, word, columns, channels), 1, word)[:, 0]


def compute_bytes(
    data: te.Tensor,
    weight: te.Tensor,
    taps: int,
    window: Window,
    products: Products = WORDS,
) -> te.Tensor:
    """Return the sums of data (1, H, W, C) of bytes by words of weights, as `row_words` has them.

    A word holds what two or four of the `taps` rows of a window have in one column.
    """
    stride, padding, dilation = window.stride, window.padding, window.dilation
    _, height, width, channels = (int(extent) for extent in data.shape)
    groups, taps_x, _ = (int(extent) for extent in weight.shape)
    out_height, out_width = pixels_after((height, width), (taps, taps_x), stride, padding, dilation)
    padded = pad(data, 1, padding, products)
    word = products.word
    wide = int(padded.shape[2])

    def byte(y: Any, x: Any, c: Any, group: Any, row: int) -> Any:
        tap = group * word + row
        value = padded[0, y * stride[0] + tap * dilation[0], x, c]
        always = groups == 1 or taps % word == 0
        return value if always else tirx.if_then_else(tap < taps, value, tirx.const(0, data.dtype))

    def column(group: Any, y: Any, x: Any, c: Any) -> Any:
        rows = [byte(y, x, c, group, row) for row in range(min(taps, word))]
        return joined(rows) if word == BYTES else word_of(rows, word)

    columns = te.compute((groups, out_height, wide, channels), column, name=COLUMNS)
    group, tap_x = te.reduce_axis((0, groups), "group"), te.reduce_axis((0, taps_x), "tap_x")
    return te.compute(
        (1, out_height, out_width, channels),
        lambda n, y, x, c: te.sum(
            products.multiply(
                columns[group, y, x * stride[1] + tap_x * dilation[1], c], weight[group, tap_x, c]
            ),
            axis=[group, tap_x],
        ),
        name=CORE,
        attrs={
            WINDOW: [stride[0], padding[0], (taps - 1) * dilation[0] + 1],
            **products.summed(taps, taps_x),
        },
    )
