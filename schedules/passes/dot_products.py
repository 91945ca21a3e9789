"""Multiply bytes by the instruction that the processor has for it."""

from collections.abc import Callable
from typing import Any

import tvm
import tvm_ffi
from tvm import sym, tirx
from tvm.ir import Op
from tvm.ir.expr import Call, TensorLoad

from mobilebench.schedules.ir.operator import lanes_of, pure_operator, vector
from mobilebench.schedules.ir.rewrite import rewrite_kernels
from mobilebench.schedules.machine import PAIRS, SDOT, SMULL, VNNI, Machine
from mobilebench.schedules.operators.dot_product import (
    BYTES,
    DOT,
    DOT_LANES,
    JOIN,
    PAIR,
    PAIR_DOT,
    WORD_BITS,
    joined_by_shifts,
)

_VNNI_LANES = (16, 8, 4)


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
        product = unsigned * _signed_byte(weight, byte)
        found = product if found is None else found + product
    return found


def _signed_byte_by_byte(data: Any, weight: Any) -> Any:
    """Return the sum of products of signed bytes with plain operations."""
    found = None
    for byte in range(BYTES):
        product = _signed_byte(data, byte) * _signed_byte(weight, byte)
        found = product if found is None else found + product
    return found


def _signed_byte(word: Any, byte: int) -> Any:
    return (word << (8 * (BYTES - 1 - byte))) >> (8 * (BYTES - 1))


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
        return total + _half_by_half(data, weight)
    halves = vector("int16", PAIR * lanes)
    kind = "int8" if _bits(weight) == WORD_BITS // PAIR else "int16"
    widened = tirx.reinterpret(vector(kind, PAIR * lanes), weight).astype(halves)
    sums = tirx.call_llvm_pure_intrin(
        vector("int32", lanes), _PAIR_SUMS[lanes], tirx.reinterpret(halves, data), widened
    )
    return total + sums


def _half_by_half(data: Any, weight: Any) -> Any:
    """Return the sum of products with plain operations."""
    bits = _bits(weight) // PAIR
    words = weight.astype(data.ty.dtype)
    low, high = (words << (WORD_BITS - bits)) >> (WORD_BITS - bits), words >> bits
    return (data & tirx.const(0xFFFF, data.ty.dtype)) * low + (data >> 16) * high


def _bits(value: Any) -> int:
    """Return the bits of a lane."""
    return int(tvm.DataType(str(value.ty.dtype)).bits)


def _zipped(call: Any) -> Any:
    """Return bytes of the same lanes as words, by instructions that join two vectors at a time."""
    lanes = lanes_of(call)
    if lanes < DOT_LANES:
        return joined_by_shifts(call.args, lanes)
    nothing = tirx.const(0, f"uint8x{lanes}")
    one, two, three, four = [*list(call.args), *[nothing] * (BYTES - len(call.args))]
    low, high = (
        tirx.reinterpret(f"uint16x{lanes}", _zip(*pair)) for pair in ((one, two), (three, four))
    )
    return tirx.reinterpret(vector("int32", lanes), _zip(low, high))


def _zip(one: Any, other: Any) -> Any:
    lanes = int(tvm.DataType(str(one.ty.dtype)).lanes)
    order = [part * lanes + lane for lane in range(lanes) for part in range(PAIR)]
    return tirx.Shuffle([one, other], order)


_ZIP = pure_operator("mobilebench_zip", _zipped)


def _sdot(call: Any) -> Any:
    """Return the sum of four products of signed bytes each, four lanes at a time."""
    return _by_fours(call, _four_sdot)


def _four_sdot(total: Any, data: Any, weight: Any) -> Any:
    # LLVM takes a lane of the second vector, as it is one of the data that all weights share.
    factors = (tirx.reinterpret("int8x16", one) for one in (weight, data))
    return tirx.call_llvm_pure_intrin(
        "int32x4", "llvm.aarch64.neon.sdot.v4i32.v16i8", total, *factors
    )


def _smull(call: Any) -> Any:
    """Return the sum of four products of signed bytes each, four lanes at a time.

    Weights have the first halves of their words before the others (`halves_first`). Two products
    fit into 16 bits: no weight is -128.
    """
    return _by_fours(call, _four_smull)


def _four_smull(total: Any, data: Any, weight: Any) -> Any:
    first, second = (tirx.reinterpret("int8x8", half) for half in _word_halves(data))
    whole = tirx.reinterpret("int8x16", weight)
    low, high = (
        tirx.Shuffle([whole], [half * 8 + byte for byte in range(8)]) for half in range(PAIR)
    )
    products = [
        tirx.call_llvm_pure_intrin("int16x8", "llvm.aarch64.neon.smull.v8i16", *factors)
        for factors in ((first, low), (second, high))
    ]
    return total + tirx.call_llvm_pure_intrin(
        "int32x4", "llvm.aarch64.neon.saddlp.v4i32.v8i16", products[0] + products[1]
    )


def _word_halves(data: Any) -> list[Any]:
    """Return the halves of four words, as vectors of 16 bits."""
    if isinstance(data, tirx.Broadcast):  # so that LLVM sees what it is a lane of
        return [
            tirx.Broadcast((data.value >> (16 * half)).astype("int16"), DOT_LANES)
            for half in range(PAIR)
        ]
    pairs = tirx.reinterpret("int16x8", data)
    lanes = range(DOT_LANES)
    return [tirx.Shuffle([pairs], [half + PAIR * lane for lane in lanes]) for half in range(PAIR)]


def _by_fours(call: Any, multiply: Callable[[Any, Any, Any], Any]) -> Any:
    """Return a call whose operands are vectors of so many lanes, four at a time."""
    lanes = lanes_of(call)
    if lanes == DOT_LANES:
        return multiply(*call.args)
    if lanes % DOT_LANES:
        return call.args[0] + _signed_byte_by_byte(*call.args[1:])
    parts = [
        multiply(*(_four(one, first) for one in call.args)) for first in range(0, lanes, DOT_LANES)
    ]
    return tirx.Shuffle(parts, list(range(lanes)))


def _four(whole: Any, first: int) -> Any:
    """Return four lanes of a vector."""
    if isinstance(whole, tirx.Broadcast):
        return tirx.Broadcast(whole.value, DOT_LANES)
    return tirx.Shuffle([whole], list(range(first, first + DOT_LANES)))


# By `Machine.dot`; each adds the sum of the products of bytes to a number.
_INSTRUCTIONS = {
    VNNI: pure_operator("mobilebench_vnni", _vnni),
    PAIRS: pure_operator("mobilebench_pairs", _pairs),
    SDOT: pure_operator("mobilebench_sdot", _sdot),
    SMULL: pure_operator("mobilebench_smull", _smull),
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
        self._zips = machine.dot == SDOT

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite all kernels."""
        if self._zips:
            mod = rewrite_kernels(mod, Call, _zips)
        return rewrite_kernels(mod, tirx.Add, self._add)

    def _add(self, add: tirx.Add) -> Any:
        if not isinstance(add.b, Call) or add.b.op not in (Op.get(DOT), Op.get(PAIR_DOT)):
            return add
        data, weight = add.b.args
        return tirx.call_intrin("int32", self._instruction, add.a, _one_load(data), weight)


def _zips(call: Any) -> Any:
    return tirx.call_intrin("int32", _ZIP, *call.args) if call.op == Op.get(JOIN) else call


def _one_load(word: Any) -> Any:
    """Return a word of neighbouring values as one load of all of them; any other as it is."""
    loads: list[Any] = []
    conditions: list[Any] = []
    tvm_ffi.structural_walk(word, [(TensorLoad, loads.append), (Call, conditions.append)])
    if len(loads) not in (PAIR, BYTES) or any(_is_condition(one) for one in conditions):
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
    if _bits(first) * len(loads) != WORD_BITS:
        return word
    at = [*first.indices[:-1], tirx.Ramp(first.indices[-1], 1, len(loads))]
    return tirx.reinterpret("int32", first.source.vload(at, f"{first.ty.dtype}x{len(loads)}"))


def _is_condition(call: Any) -> bool:
    return bool(call.op == Op.get("prim.if_then_else"))
