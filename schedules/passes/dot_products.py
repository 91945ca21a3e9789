"""Multiply bytes by the instruction that the processor has for it."""

from typing import Any

import tvm
import tvm_ffi
from tvm import sym, tirx
from tvm.ir import Op
from tvm.ir.expr import Call, TensorLoad

from mobilebench.schedules.ir.operator import lanes_of, pure_operator, vector
from mobilebench.schedules.ir.rewrite import rewrite_kernels
from mobilebench.schedules.machine import Machine
from mobilebench.schedules.operators.dot_product import BYTES, DOT

_VNNI_LANES = (16, 8, 4)
_EVEN_BYTES = 0x00FF00FF


def _vnni(call: Any) -> Any:
    total, data, weight = call.args
    lanes = lanes_of(call)
    if lanes not in _VNNI_LANES:
        return total + _byte_by_byte(data, weight)
    return tirx.call_llvm_pure_intrin(
        vector("int32", lanes),
        f"llvm.x86.avx512.vpdpbusd.{lanes * 32}",
        total,
        tirx.reinterpret(vector("uint8", lanes * BYTES), data),
        tirx.reinterpret(vector("int8", lanes * BYTES), weight),
    )


def _byte_by_byte(data: Any, weight: Any) -> Any:
    """Return the sum of products with plain operations."""
    found = None
    for byte in range(BYTES):
        unsigned = (data >> (8 * byte)) & tirx.const(0xFF, data.ty.dtype)
        signed = (weight << (8 * (BYTES - 1 - byte))) >> (8 * (BYTES - 1))
        found = unsigned * signed if found is None else found + unsigned * signed
    return found


_PAIR_SUMS = {
    16: "llvm.x86.avx512.pmaddw.d.512",
    8: "llvm.x86.avx2.pmadd.wd",
    4: "llvm.x86.sse2.pmadd.wd",
}


def _pairs(call: Any) -> Any:
    """Return the sum of products of 16-bit numbers, in pairs; 8-bit instructions would saturate."""
    total, data, weight = call.args
    lanes = lanes_of(call)
    if lanes not in _PAIR_SUMS:
        return total + _byte_by_byte(data, weight)
    halves, words = vector("int16", 2 * lanes), vector("int32", lanes)
    signed = tirx.reinterpret(halves, weight)
    for even in (True, False):
        unsigned = (data if even else data >> 8) & tirx.const(_EVEN_BYTES, words)
        part = (signed << 8) >> 8 if even else signed >> 8
        total = total + tirx.call_llvm_pure_intrin(
            words, _PAIR_SUMS[lanes], tirx.reinterpret(halves, unsigned), part
        )
    return total


# By `Machine.dot`; each adds the sum of the products of bytes to a number.
_INSTRUCTIONS = {
    "vnni": pure_operator("mobilebench_vnni", _vnni),
    "pairs": pure_operator("mobilebench_pairs", _pairs),
    "": pure_operator(
        "mobilebench_plain", lambda call: call.args[0] + _byte_by_byte(*call.args[1:])
    ),
}


@tvm.transform.module_pass(opt_level=0, name="DotProducts")
class DotProducts:
    """Replace `sum + dot(word, word)` by one instruction.

    Runs on explicit loops, which are made vectors only later.
    """

    def __init__(self, machine: Machine) -> None:
        self._instruction = _INSTRUCTIONS[machine.dot]

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite all kernels."""
        return rewrite_kernels(mod, tirx.Add, self._add)

    def _add(self, add: tirx.Add) -> Any:
        if not isinstance(add.b, Call) or add.b.op != Op.get(DOT):
            return add
        data, weight = add.b.args
        return tirx.call_intrin("int32", self._instruction, add.a, _one_load(data), weight)


def _one_load(word: Any) -> Any:
    """Return a word of neighbouring bytes as one load of four; any other as it is."""
    loads: list[Any] = []
    tvm_ffi.structural_walk(word, (TensorLoad, loads.append))
    if len(loads) != BYTES:
        return word
    first = loads[0]
    analyzer = sym.Analyzer()
    for position, load in enumerate(loads):
        same = load.source.same_as(first.source) and all(
            tvm_ffi.structural_equal(one, other)
            for one, other in zip(load.indices[:-1], first.indices[:-1], strict=True)
        )
        distance = analyzer.simplify(load.indices[-1] - first.indices[-1])
        if not same or not tvm_ffi.structural_equal(
            distance, tirx.const(position, distance.ty.dtype)
        ):
            return word
    at = [*first.indices[:-1], tirx.Ramp(first.indices[-1], 1, BYTES)]
    return tirx.reinterpret("int32", first.source.vload(at, f"uint8x{BYTES}"))
