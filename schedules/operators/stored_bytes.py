"""Bytes as a processor multiplies them: from 0 to 255, or, where it takes signed ones, 128 less.

What they stand for is the same, and so are all results; the kind of a tensor tells which it has.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tvm import te, tirx

UNSIGNED, SIGNED = "uint8", "int8"
_SIGN = 128  # from a signed byte to the unsigned one that it stands for


def offset_of(kind: str) -> int:
    """Return how much less than the bytes what is stored of them is."""
    return _SIGN if kind == SIGNED else 0


def byte_of(stored: Any, kind: str) -> Any:
    """Return the byte, 0 to 255, of what is stored of it, as uint8."""
    return stored if kind == UNSIGNED else _flipped(stored.astype(UNSIGNED))


def stored_byte(byte: Any, kind: str) -> Any:
    """Return what is stored of a byte, an integer from 0 to 255."""
    unsigned = byte.astype(UNSIGNED)
    return unsigned if kind == UNSIGNED else _flipped(unsigned).astype(SIGNED)


def stored_word(word: Any, kind: str) -> Any:
    """Return what is stored of a word of bytes, an int32."""
    return word if kind == UNSIGNED else word ^ tirx.const(_ALL_SIGNS, "int32")


def offset_sums(weight: NDArray[np.integer], kind: str) -> NDArray[np.int32]:
    """Return what sums of stored bytes times weights (outputs, ...) lack, for each output."""
    total = weight.reshape(len(weight), -1).sum(1, dtype=np.int64)
    lacking: NDArray[np.int32] = (offset_of(kind) * total).astype(np.int32)
    return lacking


def of_kind(data: te.Tensor, kind: str) -> te.Tensor:
    """Return stored bytes as they are stored in the other kind."""
    return te.compute(
        data.shape,
        lambda *at: stored_byte(byte_of(data[at], data.dtype), kind),
        name="of_kind",
    )


def plus_channels(total: te.Tensor, numbers: te.Tensor) -> te.Tensor:
    """Return sums (..., C) of stored bytes with what they lack, (C,)."""
    return te.compute(total.shape, lambda *at: total[at] + numbers[at[-1]], name="of_bytes")


_ALL_SIGNS = int(np.array(0x80808080, np.uint32).astype(np.int32))


def _flipped(unsigned: Any) -> Any:
    return unsigned ^ tirx.const(_SIGN, UNSIGNED)
