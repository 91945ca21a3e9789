"""1x1 convolutions of signed bytes as products of small matrices: two pixels by two channels.

Processors that have an instruction for it multiply two rows of eight bytes by two others: four sums
of eight products each, twice as many as by words of four bytes.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tvm import te

from mobilebench.schedules.operators.products import PIXELS, SIGNED_BYTES, SUMMED, Products

CORE = "byte_matrix_product"
PAIRED = "paired_pixels"  # the block that lays eight bytes of a pixel beside those of the next
ROW = 8  # bytes of a row of a matrix
PAIR = 2  # rows of a matrix


def compute(
    data: te.Tensor,
    weight: te.Tensor,
    outputs: int,
    pairs: int,
    products: Products = SIGNED_BYTES,
) -> te.Tensor:
    """Return the convolution (1, H, W, outputs), int32, of signed bytes (1, H, W, K).

    Weights are (panels, K / 8, lanes, 8). Of the pairs of pixels those beyond the image are its
    last pixel once more; their sums are dropped in registers.
    """
    _, height, width, inputs = (int(extent) for extent in data.shape)
    panels, steps, lanes, _ = (int(extent) for extent in weight.shape)
    pixels = height * width

    def row(pair: Any, step: Any, one: Any, byte: Any) -> Any:
        pixel = pair * PAIR + one
        if pairs * PAIR > pixels:
            pixel = te.min(pixel, pixels - 1)
        return data[0, pixel // width, pixel % width, step * ROW + byte]

    rows = te.compute((pairs, steps, PAIR, ROW), row, name=PAIRED)
    step, byte = te.reduce_axis((0, steps), "step"), te.reduce_axis((0, ROW), "byte")

    def summed(pair: Any, channels: Any, one: Any, other: Any) -> Any:
        channel = channels * PAIR + other
        packed = weight[channel // lanes, step, channel % lanes, byte]
        product = products.multiply(rows[pair, step, one, byte], packed)
        return te.sum(product, axis=[step, byte])

    product = te.compute(
        (pairs, panels * lanes // PAIR, PAIR, PAIR),
        summed,
        name=CORE,
        attrs={PIXELS: [1, height, width, panels * lanes], SUMMED: [inputs]},
    )

    def single(_: Any, y: Any, x: Any, channel: Any) -> Any:
        pixel = y * width + x
        return product[pixel // PAIR, channel // PAIR, pixel % PAIR, channel % PAIR]

    return te.compute((1, height, width, outputs), single, name="byte_matrix")


def weight_rows(weight: NDArray[np.int8]) -> NDArray[np.int64]:
    """Return weights (K, N), of a whole number of rows, as rows (K / 8, N) of eight bytes each."""
    rows: NDArray[np.int64] = np.ascontiguousarray(weight.T).view("<i8").T
    return rows
