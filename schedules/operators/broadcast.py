"""Two tensors of different shapes, element by element: a kernel of its own.

TVM would compute it where the smaller one is computed, as it does with a bias or an activation; but
what makes one value for each channel, as in squeeze-and-excitation, has no loops over the pixels.
"""

from collections.abc import Callable
from typing import Any

from tvm import te

Combine = Callable[[Any, Any], Any]


def compute(one: te.Tensor, other: te.Tensor, combine: Combine) -> te.Tensor:
    """Return the combination of tensors of equal rank, whose axes are equal or 1."""
    pairs = [(int(a), int(b)) for a, b in zip(one.shape, other.shape, strict=True)]

    def read(*at: Any) -> Any:
        first = one[tuple(0 if a == 1 else i for i, (a, _) in zip(at, pairs, strict=True))]
        second = other[tuple(0 if b == 1 else i for i, (_, b) in zip(at, pairs, strict=True))]
        return combine(first, second)

    return te.compute(tuple(max(pair) for pair in pairs), read, name="broadcast")
