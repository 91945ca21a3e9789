"""From sums of products of bytes to bytes again, or to floating-point numbers.

Every sum is multiplied by a number of its channel and added to another in one fused step, rounded
to the nearest integer (halves to even, as ONNX has it) and saturated; all processors do the same,
bit for bit. Zero points, biases, and what ReLU6 cuts off are in those numbers.
"""

from collections.abc import Sequence
from typing import Any

from tvm import te, tirx

from mobilebench.schedules.ir.operator import lanes_of, pure_operator, vector
from mobilebench.schedules.operators.stored_bytes import UNSIGNED, byte_of, stored_byte

LEAST, MOST = 0, 255  # of a byte
ENDS = tuple(tirx.const(float(one), "float32") for one in (LEAST, MOST))
"""Limits of what may be beyond 32 bits before it is saturated."""


def _nearest(call: Any) -> Any:
    kind = vector("int32", lanes_of(call))
    return tirx.call_llvm_pure_intrin(kind, "llvm.lrint", *call.args)


NEAREST = pure_operator("mobilebench_nearest", _nearest)


def multiply_add(value: Any, factor: Any, addend: Any) -> Any:
    """Return value * factor + addend, rounded once."""
    return tirx.call_intrin("float32", "tirx.fma", value.astype("float32"), factor, addend)


def saturated(value: Any, limits: Sequence[Any] | te.Tensor | None = None) -> Any:
    """Return a floating-point number as the nearest integer that a byte can be, still as int32.

    `limits`, (2,), are the least and the most; None for a byte's own, of a value that is known to
    be within 32 bits.
    """
    if limits is not None:
        value = tirx.max(tirx.min(value, limits[1]), limits[0])
    nearest = tirx.call_intrin("int32", NEAREST, value)
    return tirx.max(tirx.min(nearest, tirx.const(MOST, "int32")), tirx.const(LEAST, "int32"))


def to_bytes(
    total: te.Tensor,
    factor: te.Tensor,
    addend: te.Tensor,
    limits: te.Tensor | None = None,
    *,
    kind: str = UNSIGNED,
) -> te.Tensor:
    """Return sums (..., C) as bytes of a kind, with numbers (C,) of each channel."""

    def write(*at: Any) -> Any:
        scaled = multiply_add(total[at], factor[at[-1]], addend[at[-1]])
        return stored_byte(saturated(scaled, limits), kind)

    return te.compute(total.shape, write, name="to_bytes")


def to_bytes_with_residual(
    total: te.Tensor,
    other: te.Tensor,
    shares: te.Tensor,
    factor: te.Tensor,
    addend: te.Tensor,
    limits: te.Tensor | None = None,
    *,
    kind: str = UNSIGNED,
) -> te.Tensor:
    """Return sums as bytes of a kind, added to other bytes of the same shape.

    Both have scales of their own: `shares` are the factors of either and what is added, (3,).
    """

    def write(*at: Any) -> Any:
        own = saturated(multiply_add(total[at], factor[at[-1]], addend[at[-1]]), limits)
        second = multiply_add(byte_of(other[at], other.dtype), shares[1], shares[2])
        return stored_byte(saturated(multiply_add(own, shares[0], second)), kind)

    return te.compute(total.shape, write, name="to_bytes")


def to_floats(total: te.Tensor, factor: te.Tensor, addend: te.Tensor) -> te.Tensor:
    """Return sums (..., C) as floating-point numbers, with numbers (C,) of each channel."""
    return te.compute(
        total.shape,
        lambda *at: multiply_add(total[at], factor[at[-1]], addend[at[-1]]),
        name="to_floats",
    )
