"""Round numbers to bytes by the instructions that Arm has for it."""

from typing import Any

import tvm
import tvm_ffi
from tvm import tirx
from tvm.ir import Op
from tvm.ir.expr import Call

from mobilebench.schedules.ir.operator import lanes_of, pure_operator, vector
from mobilebench.schedules.ir.rewrite import rewrite_kernels
from mobilebench.schedules.machine import Machine
from mobilebench.schedules.operators.requantize import LEAST, MOST, NEAREST

_FOUR = 4  # lanes of 32 bits


def _integer(call: Any) -> Any:
    lanes = lanes_of(call)
    if lanes % _FOUR:
        return tirx.call_llvm_pure_intrin(vector("int32", lanes), "llvm.lrint", *call.args)
    whole = [_rounded(part, "fcvtns", "int32") for part in _fours(call.args[0], lanes)]
    return _joined(whole)


def _byte(call: Any) -> Any:
    """Return numbers as the nearest bytes: negative ones as 0, what is above 255 as 255."""
    lanes = lanes_of(call)
    if lanes % _FOUR:
        nearest = tirx.call_llvm_pure_intrin(vector("int32", lanes), "llvm.lrint", *call.args)
        least, most = (tirx.const(one, vector("int32", lanes)) for one in (LEAST, MOST))
        return tirx.max(tirx.min(nearest, most), least).astype(vector("uint8", lanes))
    parts = [_rounded(part, "fcvtnu", "uint32") for part in _fours(call.args[0], lanes)]
    halves = [_narrowed(part, 16) for part in parts]
    eights = [_joined(halves[one : one + 2]) for one in range(0, len(halves), 2)]
    if lanes == _FOUR:
        return tirx.Shuffle([_narrowed(_joined([*halves, *halves]), 8)], list(range(_FOUR)))
    return _joined([_narrowed(one, 8) for one in eights])


def _fours(value: Any, lanes: int) -> list[Any]:
    if lanes == _FOUR:
        return [value]
    return [
        tirx.Shuffle([value], list(range(first, first + _FOUR))) for first in range(0, lanes, _FOUR)
    ]


def _rounded(part: Any, instruction: str, kind: str) -> Any:
    name = f"llvm.aarch64.neon.{instruction}.v4i32.v4f32"
    return tirx.call_llvm_pure_intrin(vector(kind, _FOUR), name, part)


def _narrowed(part: Any, bits: int) -> Any:
    lanes = int(tvm.DataType(str(part.ty.dtype)).lanes)
    name = f"llvm.aarch64.neon.uqxtn.v{lanes}i{bits}"
    return tirx.call_llvm_pure_intrin(vector(f"uint{bits}", lanes), name, part)


def _joined(parts: list[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    lanes = sum(int(tvm.DataType(str(one.ty.dtype)).lanes) for one in parts)
    return tirx.Shuffle(parts, list(range(lanes)))


_INTEGER = pure_operator("mobilebench_arm_integer", _integer)
_BYTE = pure_operator("mobilebench_arm_byte", _byte)


@tvm.transform.module_pass(opt_level=0, name="SaturateBytes")
class SaturateBytes:
    """Replace rounding, and cutting off at what a byte can be, by Arm's saturating instructions.

    Runs on explicit loops, which are made vectors only later.
    """

    def __init__(self, machine: Machine) -> None:
        self._wanted = machine.writes_bytes

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite all kernels."""
        if not self._wanted:
            return mod
        return rewrite_kernels(rewrite_kernels(mod, tirx.Cast, _saturating), Call, _rounding)


def _saturating(cast: tirx.Cast) -> Any:
    value = cast.value
    clamps = isinstance(value, tirx.Max) and isinstance(value.a, tirx.Min)
    if str(cast.ty.dtype) != "uint8" or not clamps:
        return cast
    nearest, most, least = value.a.a, value.a.b, value.b
    if not _is_nearest(nearest) or not (_is(most, MOST) and _is(least, LEAST)):
        return cast
    return tirx.call_intrin("uint8", _BYTE, nearest.args[0])


def _rounding(call: Any) -> Any:
    return tirx.call_intrin("int32", _INTEGER, *call.args) if _is_nearest(call) else call


def _is_nearest(value: Any) -> bool:
    return isinstance(value, Call) and bool(value.op == Op.get(NEAREST))


def _is(bound: Any, number: int) -> bool:
    return bool(tvm_ffi.structural_equal(bound, tirx.const(number, "int32")))
