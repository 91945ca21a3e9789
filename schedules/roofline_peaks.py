"""What no kernel can exceed: multiply-adds in registers, and reading memory."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import tvm
from tvm import tirx

from mobilebench.schedules import pipeline
from mobilebench.schedules.machine import PAIRS, Gpu, Machine, Processor, machine_of
from mobilebench.schedules.native.native_code import TEAM, link_library
from mobilebench.schedules.operators.dot_product import BYTES, PAIR, dot, pair_dot
from mobilebench.schedules.passes.dot_products import DotProducts
from mobilebench.schedules.precision import INT8
from mobilebench.targets.toolchains.toolchain import Toolchain

_STEPS = {"cpu": 200_000, "opencl": 2_000}  # of multiply-adds; a fraction of a millisecond
_READ_BYTES = {"cpu": 256 << 20, "opencl": 64 << 20}  # more than any cache
_TABLES = 16  # of factors of bytes, 12 KiB with vectors of 512 bits
_CHAINS = 12  # independent sums: two multiply-adds a cycle, of four cycles' latency, need 8


def write_roofline_peaks(
    tvm_target: Any, precision: str, toolchain: Toolchain, directory: Path
) -> dict[str, Any]:
    """Write `multiply.so` and `read.so` into a directory.

    At int8 those multiply-adds are the ones that the processor has for bytes. Their function takes
    a float32 input and output; how many floats those have, and what a run does, is returned.
    """
    machine = machine_of(tvm_target)
    if precision == INT8 and isinstance(machine, Machine):
        multiply, values = _multiply_bytes(machine), PAIR if machine.dot == PAIRS else BYTES
    else:
        multiply, values = _multiply(machine), 1
    beside = [TEAM] if machine.threads > 1 else []
    for name, loops in (("multiply", multiply), ("read", _read(machine))):
        executable = pipeline.build_loops(loops, tvm_target)
        link_library(executable, directory / f"{name}.so", toolchain, beside)
    sums = _parts(machine) * _CHAINS * machine.vector_floats
    return {
        "entry": pipeline.kernel_entry(machine),
        "factors": int(multiply.params[0].shape[0]),
        "sums": sums,
        "macs": _STEPS[machine.device_type] * sums * values,
        "read_bytes": _read_steps(machine) * sums * 4,
    }


def _parts(machine: Processor) -> int:
    """Return how many threads or work items share the work."""
    if isinstance(machine, Gpu):
        return machine.busy_items
    return machine.threads


def _read_steps(machine: Processor) -> int:
    return (
        _READ_BYTES[machine.device_type] // 4 // (_parts(machine) * _CHAINS * machine.vector_floats)
    )


def _multiply(machine: Processor) -> tirx.PrimFunc:
    """Chains of `sum = sum * x + y`, as many as keep the multipliers busy."""
    lanes = machine.vector_floats
    factors = tirx.decl_buffer((2 * lanes,), "float32", "factors")

    def step(total: Any, _step: Any, _chain: Any, lane: Any) -> Any:
        return total * factors[lane] + factors[lanes + lane]

    return _chains(machine, factors, _STEPS[machine.device_type], step)


def _multiply_bytes(machine: Machine) -> tirx.PrimFunc:
    """Chains of `sum += products of the bytes of x and y`.

    Where a product is an instruction of its own, x comes from the first cache, another in each
    step, so that none is used again.
    """
    lanes = machine.vector_floats
    pairs = machine.dot == PAIRS
    multiply, tables = (pair_dot, _TABLES * _CHAINS) if pairs else (dot, 1)
    data = tirx.decl_buffer(((tables + 1) * lanes,), "float32", "factors")

    def step(total: Any, at: Any, chain: Any, lane: Any) -> Any:
        table = at[1] % _TABLES * _CHAINS + chain if pairs else 0
        one, other = (
            tirx.reinterpret("int32", data[place * lanes + lane]) for place in (table, tables)
        )
        return total + multiply(one, other)

    loops = _chains(machine, data, _STEPS[machine.device_type], step, "int32")
    one: Any = DotProducts(machine)
    return one(tvm.IRModule({pipeline.KERNEL: loops}))[pipeline.KERNEL]


def _read(machine: Processor) -> tirx.PrimFunc:
    """Sums over memory: each part over its own piece of it, or side by side if they run in step."""
    lanes, parts, steps = machine.vector_floats, _parts(machine), _read_steps(machine)
    memory = tirx.decl_buffer((parts * steps * _CHAINS * lanes,), "float32", "memory")

    def step(total: Any, at: Any, chain: Any, lane: Any) -> Any:
        part, index = at
        if isinstance(machine, Gpu) and machine.subgroup > 1:
            vector = (index * _CHAINS + chain) * parts + part
        else:
            vector = (part * steps + index) * _CHAINS + chain
        return total + memory[vector * lanes + lane]

    return _chains(machine, memory, steps, step)


def _chains(
    machine: Processor, source: Any, steps: int, step: Any, kind: str = "float32"
) -> tirx.PrimFunc:
    """Return a kernel in which each part updates its sums, of some kind, so many times."""
    lanes, parts = machine.vector_floats, _parts(machine)
    sums = _CHAINS * lanes
    index = tirx.Var("index", "int32")
    part, run = _work_items(machine) if isinstance(machine, Gpu) else _threads(machine)
    output = tirx.decl_buffer((parts * sums,), "float32", "output")
    local = tirx.decl_buffer((sums,), kind, "sums", scope="local")

    def all_sums(value: Any, into: Any, base: Any) -> Any:
        chain, lane = tirx.Var("chain", "int32"), tirx.Var("lane", "int32")
        at = chain * lanes + lane
        store = tirx.BufferStore(into, value(chain, lane, at), [base + at])
        vector = tirx.For(lane, 0, lanes, tirx.ForKind.VECTORIZED, store)
        return tirx.For(chain, 0, _CHAINS, tirx.ForKind.UNROLLED, vector)

    def written(_chain: Any, _lane: Any, at: Any) -> Any:
        return local[at] if kind == "float32" else tirx.reinterpret("float32", local[at])

    update = all_sums(lambda chain, lane, at: step(local[at], (part, index), chain, lane), local, 0)
    body = tirx.SeqStmt(
        [
            tirx.AllocBuffer(local),
            all_sums(lambda _chain, _lane, _at: tirx.const(0, kind), local, 0),
            tirx.For(index, 0, steps, tirx.ForKind.SERIAL, update),
            all_sums(written, output, part * sums),
        ]
    )
    kernel = tirx.PrimFunc([source, output], run(body))
    return kernel.with_attr("global_symbol", pipeline.KERNEL).with_attr("tirx.noalias", True)


def _work_items(machine: Gpu) -> tuple[Any, Callable[[Any], Any]]:
    """Return the number of a work item, and what runs a body for each of them."""
    group, item = tirx.Var("group", "int32"), tirx.Var("item", "int32")

    def bound(variable: Any, extent: int, axis: str, body: Any) -> Any:
        thread = tirx.IterVar(None, tirx.Var(axis, "int32"), tirx.IterVar.ThreadIndex, axis)
        return tirx.For(variable, 0, extent, tirx.ForKind.THREAD_BINDING, body, thread)

    def run(body: Any) -> Any:
        items = bound(item, machine.subgroup, "threadIdx.x", body)
        return bound(group, _parts(machine) // machine.subgroup, "blockIdx.x", items)

    return group * machine.subgroup + item, run


def _threads(machine: Machine) -> tuple[Any, Callable[[Any], Any]]:
    """Return the number of a thread, and what runs a body for each of them."""
    part = tirx.Var("part", "int32")
    return part, lambda body: tirx.For(part, 0, machine.threads, tirx.ForKind.PARALLEL, body)
