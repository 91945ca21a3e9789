"""What no kernel can exceed: multiply-adds in registers, and reading memory."""

from pathlib import Path
from typing import Any

from tvm import tirx

from schedules import pipeline
from schedules.machine import Machine, machine_of
from schedules.native_code import TEAM, link_library
from targets.toolchain import Toolchain

STEPS = 200_000  # of multiply-adds; a fraction of a millisecond
READ_BYTES = 256 * 1024 * 1024  # more than any cache
_CHAINS = 12  # independent sums: two multiply-adds a cycle, of four cycles' latency, need 8


def write_ceilings(tvm_target: Any, toolchain: Toolchain, directory: Path) -> dict[str, Any]:
    """Write `multiply.so` and `read.so` into a directory.

    Their function takes a float32 input and output; how many floats those have, and what a run
    does, is returned.
    """
    machine = machine_of(tvm_target)
    beside = [TEAM] if machine.threads > 1 else []
    for name, loops in (("multiply", _multiply(machine)), ("read", _read(machine))):
        executable = pipeline.build_loops(loops, tvm_target)
        link_library(executable, directory / f"{name}.so", toolchain, beside)
    sums = machine.threads * _CHAINS * machine.vector_floats
    return {
        "entry": pipeline.kernel_entry(machine),
        "factors": 2 * machine.vector_floats,
        "sums": sums,
        "macs": STEPS * sums,
        "read_bytes": READ_BYTES,
    }


def _multiply(machine: Machine) -> tirx.PrimFunc:
    """Chains of `sum = sum * x + y`, as many as keep the multipliers busy."""
    lanes = machine.vector_floats
    factors = tirx.decl_buffer((2 * lanes,), "float32", "factors")

    def step(total: Any, _step: Any, _chain: Any, lane: Any) -> Any:
        return total * factors[lane] + factors[lanes + lane]

    return _chains(machine, factors, STEPS, step)


def _read(machine: Machine) -> tirx.PrimFunc:
    """Sums over memory, each thread over a part of it."""
    lanes = machine.vector_floats
    steps = READ_BYTES // 4 // machine.threads // (_CHAINS * lanes)
    memory = tirx.decl_buffer((READ_BYTES // 4,), "float32", "memory")

    def step(total: Any, at: Any, chain: Any, lane: Any) -> Any:
        part, turn = at
        return total + memory[((part * steps + turn) * _CHAINS + chain) * lanes + lane]

    return _chains(machine, memory, steps, step)


def _chains(machine: Machine, source: Any, steps: int, step: Any) -> tirx.PrimFunc:
    """Return a kernel in which each part updates its sums so many times."""
    lanes = machine.vector_floats
    sums = _CHAINS * lanes
    part, turn = tirx.Var("part", "int32"), tirx.Var("turn", "int32")
    output = tirx.decl_buffer((machine.threads * sums,), "float32", "output")
    local = tirx.decl_buffer((sums,), "float32", "sums", scope="local")

    def all_sums(value: Any, into: Any, base: Any) -> Any:
        chain, lane = tirx.Var("chain", "int32"), tirx.Var("lane", "int32")
        at = chain * lanes + lane
        store = tirx.BufferStore(into, value(chain, lane, at), [base + at])
        vector = tirx.For(lane, 0, lanes, tirx.ForKind.VECTORIZED, store)
        return tirx.For(chain, 0, _CHAINS, tirx.ForKind.UNROLLED, vector)

    update = all_sums(lambda chain, lane, at: step(local[at], (part, turn), chain, lane), local, 0)
    body = tirx.SeqStmt(
        [
            tirx.AllocBuffer(local),
            all_sums(lambda _chain, _lane, _at: tirx.const(0.0, "float32"), local, 0),
            tirx.For(turn, 0, steps, tirx.ForKind.SERIAL, update),
            all_sums(lambda _chain, _lane, at: local[at], output, part * sums),
        ]
    )
    loop = tirx.For(part, 0, machine.threads, tirx.ForKind.PARALLEL, body)
    kernel = tirx.PrimFunc([source, output], loop).with_attr("global_symbol", pipeline.KERNEL)
    return kernel.with_attr("tirx.noalias", True)
