"""ReLU6 on the bits of floating-point numbers."""

import struct
from typing import Any

import tvm
from tvm import tirx

from mobilebench.schedules.ir.rewrite import rewrite_kernels
from mobilebench.schedules.machine import Machine


@tvm.transform.module_pass(opt_level=0, name="IntegerClamp")
class IntegerClamp:
    """Compute `min(max(x, 0), c)` by comparing integers, on machines where that is no slower.

    Read as integers, floating-point numbers with the sign bit are negative, and those without are
    in the same order as what they stand for. Either way it is two instructions; in an emulator
    those for integers are far quicker. Not a number becomes 0 or c, by its sign.
    """

    def __init__(self, machine: Machine) -> None:
        self._wanted = machine.integer_clamp

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite all kernels."""
        if not self._wanted:
            return mod
        return rewrite_kernels(mod, tirx.Min, _by_bits)


def _by_bits(clamp: tirx.Min) -> Any:
    inner, upper = clamp.a, clamp.b
    if not (isinstance(inner, tirx.Max) and _positive(upper) and _is_zero(inner.b)):
        return clamp
    (bits,) = struct.unpack("<i", struct.pack("<f", upper.value))
    value = tirx.reinterpret("int32", inner.a)
    clamped = tirx.min(tirx.max(value, tirx.const(0, "int32")), tirx.const(bits, "int32"))
    return tirx.reinterpret("float32", clamped)


def _positive(bound: Any) -> bool:
    return isinstance(bound, tirx.FloatImm) and str(bound.ty) == "float32" and bound.value > 0


def _is_zero(bound: Any) -> bool:
    return isinstance(bound, tirx.FloatImm) and bound.value == 0
