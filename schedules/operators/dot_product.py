"""Products of bytes, four at a time: what processors with 8-bit arithmetic do in one instruction.

Four neighbouring bytes are read as one 32-bit word, so that to a template an integer convolution
looks like one of floating-point numbers with a quarter of the channels.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tvm import te, tirx

from mobilebench.schedules.ir.operator import pure_operator

BYTES = 4  # of a word
DOT = pure_operator("mobilebench_dot")


def dot(data: Any, weight: Any) -> Any:
    """Return the sum of the products of a word's bytes, unsigned ones by signed ones, as int32."""
    return tirx.call_intrin("int32", DOT, data, weight)


def word_of(parts: list[Any]) -> Any:
    """Return up to four bytes as one word, the first one lowest."""
    found = None
    for position, part in enumerate(parts):
        shifted = part.astype("int32") << (8 * position) if position else part.astype("int32")
        found = shifted if found is None else found | shifted
    return found


def channel_words(data: te.Tensor) -> te.Tensor:
    """Return bytes (..., K) as words (..., ceil(K / 4)); bytes beyond K are zero."""
    *outer, channels = (int(extent) for extent in data.shape)

    def byte(at: Any, channel: Any) -> Any:
        value = data[(*at, channel)]
        if channels % BYTES == 0:
            return value
        return tirx.if_then_else(channel < channels, value, tirx.const(0, data.dtype))

    def read(*at: Any) -> Any:
        return word_of([byte(at[:-1], at[-1] * BYTES + one) for one in range(BYTES)])

    return te.compute((*outer, -(-channels // BYTES)), read, name="words")


def weight_words(weight: NDArray[np.int8], axis: int) -> NDArray[np.int32]:
    """Return weights as words of four along an axis, which are padded with zeros."""
    values = np.moveaxis(weight, axis, -1)
    padded = np.zeros((*values.shape[:-1], -(-values.shape[-1] // BYTES) * BYTES), np.int8)
    padded[..., : values.shape[-1]] = values
    return np.moveaxis(padded.view("<i4"), -1, axis)
