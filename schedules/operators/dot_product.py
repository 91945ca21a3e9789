"""Products of bytes, several at a time: what processors do in one instruction.

Neighbouring bytes are read as one 32-bit word: four as they are, or two that were widened to 16
bits where no instruction multiplies bytes without saturating. To a template an integer convolution
then looks like one of floating-point numbers with a quarter, or half, of the channels.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tvm import te, tirx

from mobilebench.schedules.ir.operator import lanes_of, pure_operator, vector
from mobilebench.schedules.operators.stored_bytes import SIGNED, UNSIGNED

BYTES, PAIR = 4, 2  # values of a word
WORD_BITS = 32
JOINED = "words"  # the block that makes words of neighbouring bytes
WIDE = "wide"  # the block that widens bytes to 16 bits, for words of two
JOIN_LANES = (16, 8, 4)  # whose bytes are shuffled into words at once


def _joined(call: Any) -> Any:
    """Return bytes of the same lanes as words: shuffled, or by plain operations."""
    lanes = lanes_of(call)
    if lanes not in JOIN_LANES:
        return joined_by_shifts(call.args, lanes)
    whole = [*call.args, *[tirx.const(0, f"uint8x{lanes}")] * (BYTES - len(call.args))]
    order = [part * lanes + lane for lane in range(lanes) for part in range(BYTES)]
    return tirx.reinterpret(vector("int32", lanes), tirx.Shuffle(whole, order))


DOT_LANES = 4  # whose halves of words `halves_first` moves


def joined_by_shifts(parts: Any, lanes: int) -> Any:
    """Return bytes of the same lanes as words, with plain operations."""
    return _or(parts, BYTES, lanes)


JOIN = pure_operator("mobilebench_join", _joined)
DOT, PAIR_DOT = pure_operator("mobilebench_dot"), pure_operator("mobilebench_pair_dot")


def dot(data: Any, weight: Any) -> Any:
    """Return the sum of the products of a word's bytes, unsigned ones by signed ones, as int32."""
    return tirx.call_intrin("int32", DOT, data, weight)


def pair_dot(data: Any, weight: Any) -> Any:
    """Return the sum of the products of a word's halves by two numbers, as int32.

    These are the bytes of an int16, or the halves of an int32.
    """
    return tirx.call_intrin("int32", PAIR_DOT, data, weight)


def joined(parts: list[Any]) -> Any:
    """Return up to four bytes, from apart in memory, as one word, the first one lowest."""
    return tirx.call_intrin("int32", JOIN, *(part.astype("uint8") for part in parts))


def word_of(parts: list[Any], word: int) -> Any:
    """Return up to `word` values, none negative, as one word, the first one lowest."""
    return _or(parts, word, 1)


def _or(parts: Any, word: int, lanes: int) -> Any:
    found = None
    for position, part in enumerate(parts):
        value = part.astype(vector("int32", lanes))
        shifted = value << (WORD_BITS // word * position) if position else value
        found = shifted if found is None else found | shifted
    return found


def channel_words(data: te.Tensor) -> te.Tensor:
    """Return bytes (..., K) as words (..., ceil(K / 4)); bytes beyond K are zero."""
    return _words(data, BYTES)


def channel_pairs(data: te.Tensor) -> te.Tensor:
    """Return bytes (..., K) as words (..., ceil(K / 2)) of two; bytes beyond K are zero."""
    *outer, channels = (int(extent) for extent in data.shape)
    shape = (*outer, -(-channels // PAIR) * PAIR)
    even = channels % PAIR == 0
    wide = te.compute(shape, lambda *at: _value(data, at, whole=even).astype("int16"), name=WIDE)
    return _words(wide, PAIR)


def _words(data: te.Tensor, word: int) -> te.Tensor:
    *outer, channels = (int(extent) for extent in data.shape)
    whole = channels % word == 0

    def read(*at: Any) -> Any:
        first = at[-1] * word
        values = [_value(data, (*at[:-1], first + one), whole=whole) for one in range(word)]
        if data.dtype == SIGNED:
            values = [value.astype(UNSIGNED) for value in values]
        return word_of(values, word)

    return te.compute((*outer, -(-channels // word)), read, name=JOINED)


def _value(data: te.Tensor, at: tuple[Any, ...], *, whole: bool) -> Any:
    """Return a value; if words are not whole, zero beyond the last channel."""
    if whole:
        return data[at]
    return tirx.if_then_else(at[-1] < data.shape[-1], data[at], tirx.const(0, data.dtype))


def weight_words(
    weight: NDArray[np.signedinteger], axis: int, word: int
) -> NDArray[np.signedinteger]:
    """Return weights with `word` of them in each number along an axis, padded with zeros."""
    values = np.moveaxis(weight, axis, -1)
    padded = np.zeros((*values.shape[:-1], -(-values.shape[-1] // word) * word), weight.dtype)
    padded[..., : values.shape[-1]] = values
    return np.moveaxis(padded.view(f"<i{word * weight.itemsize}"), -1, axis)


def halves_first(words: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return packed words (..., lanes) with the first halves of each four before their others.

    An instruction that multiplies eight pairs of bytes then has two of four lanes each.
    """
    fours = words.reshape(*words.shape[:-1], -1, DOT_LANES)
    halves = np.ascontiguousarray(fours).view("<i2").reshape(*fours.shape, 2)
    return np.ascontiguousarray(halves.swapaxes(-1, -2)).view("<i4").reshape(words.shape)
