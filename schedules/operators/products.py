"""What an operator multiplies: floating-point numbers, or words of bytes."""

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tvm import te, tirx

from mobilebench.schedules.operators.dot_product import (
    BYTES,
    PAIR,
    channel_pairs,
    channel_words,
    dot,
    pair_dot,
)
from mobilebench.schedules.operators.stored_bytes import SIGNED, UNSIGNED
from mobilebench.schedules.precision import FLOAT16, FLOAT32

SUMMED = "mobilebench.summed"
"""Annotation of a core block that multiplies words: how many values it sums along each axis."""
PIXELS = "mobilebench.pixels"
"""Annotation of a core block that has pixels in pairs: the shape of what it computes, NHWC."""


def as_floats(data: Any, weight: Any) -> Any:
    """Return the product of two numbers as float32."""
    return data.astype(FLOAT32) * weight.astype(FLOAT32)


def narrowed(total: te.Tensor, kind: str, name: str) -> te.Tensor:
    """Return sums as numbers of a kind, if they are of another."""
    if total.dtype == kind or total.dtype != FLOAT32:
        return total
    return te.compute(total.shape, lambda *at: total[at].astype(kind), name=name)


def widened_product(data: Any, weight: Any) -> Any:
    """Return the product of two bytes as int32."""
    return data.astype("int32") * weight.astype("int32")


@dataclass(frozen=True)
class Products:
    """How values are read and multiplied by weights, and what lies around an image."""

    multiply: Callable[[Any, Any], Any]
    channels: Callable[[te.Tensor], te.Tensor]  # of NHWC data, as they are multiplied
    word: int = 1  # values of an operand
    border: te.Tensor | None = None  # (1,) of float32; None for zeros
    longest: int = 0  # how many products may be summed at once; 0 for all
    kind: str = UNSIGNED  # of stored bytes

    def beyond(self, data: te.Tensor) -> Any:
        """Return the value of what is beyond the edges of some data."""
        if self.border is None:
            return tirx.const(0, data.dtype)
        return self.border[0].astype(data.dtype)

    def summed(self, *extents: Any) -> dict[str, list[int]]:
        """Return the annotation that says how many values are summed; none if no word has two."""
        return {} if self.word == 1 else {SUMMED: [int(extent) for extent in extents]}

    def chunk(self, inputs: int) -> int:
        """Return how many of so many products are summed before the sum is added to others.

        They divide the products, in eights: the most up to `longest`, but where that is a single
        eight the fewest beyond.
        """
        if not self.longest or inputs <= self.longest:
            return inputs
        sizes = [size for size in range(2 * _EIGHT, inputs, _EIGHT) if inputs % size == 0]
        short = [size for size in sizes if size <= self.longest]
        return max(short, default=min(sizes, default=inputs))


def products_of(kind: str, *, wide: bool = False) -> Products:
    """Return how floating-point numbers of a kind are multiplied; if wide, summed as float32."""
    if kind != FLOAT16:
        return FLOATS
    return WIDE_HALVES if wide else HALVES


_EIGHT = 8  # halves of a vector, from which values are taken lane by lane


FLOATS = Products(operator.mul, lambda data: data)
HALVES = replace(FLOATS, longest=32)  # so that sums in half precision lose little
WIDE_HALVES = replace(FLOATS, multiply=as_floats)
WORDS = Products(dot, channel_words, BYTES)  # of bytes, as they are stored
SIGNED_WORDS = replace(WORDS, kind=SIGNED)
SIGNED_BYTES = Products(widened_product, lambda data: data, kind=SIGNED)  # one by one
PAIRS = Products(pair_dot, channel_pairs, PAIR)  # of bytes that were widened
