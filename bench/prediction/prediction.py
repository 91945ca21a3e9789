"""The cycles of a network, predicted from its code by a model of a processor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mobilebench.bench.build.artifact import Artifact
from mobilebench.bench.prediction.block_cycles import (
    Cycles,
    Model,
    check_model,
    loop_cycles,
    straight_cycles,
)
from mobilebench.bench.prediction.blocks import Block, blocks_of
from mobilebench.bench.prediction.executions import count_executions
from mobilebench.bench.prediction.llvm_tools import LlvmTools
from mobilebench.bench.prediction.machine_code import read_machine_code
from mobilebench.bench.prediction.multiply_adds import macs_of, main_multiply_add


@dataclass(frozen=True)
class KernelPrediction:
    """What is predicted of a kernel, for all its calls in an inference."""

    name: str
    calls: int
    macs: int  # with the lanes that pad channels to whole vectors
    instructions: int
    cycles: float
    floor_cycles: float | None  # of its multiply-accumulates alone; None where it has none
    busiest_unit: str  # LLVM's name of what works for the largest part of the cycles
    busiest_share: float

    @property
    def ratio(self) -> float | None:
        """The cycles over their floor."""
        return self.cycles / self.floor_cycles if self.floor_cycles else None


@dataclass(frozen=True)
class Prediction:
    """What is predicted of a network; kernels are in the order in which it first calls them."""

    cpu: str  # whose model it is, by LLVM's name
    llvm_version: str
    multiply_add: str  # the instruction that does the most of the multiply-accumulates
    macs_per_cycle: float  # the most that this instruction does; 0 if there is none
    kernels: tuple[KernelPrediction, ...]

    @property
    def cycles(self) -> float:
        """Those of all kernels."""
        return sum(kernel.cycles for kernel in self.kernels)

    @property
    def floor_cycles(self) -> float:
        """Those of all kernels' multiply-accumulates alone."""
        return sum(kernel.floor_cycles or 0.0 for kernel in self.kernels)

    @property
    def ratio(self) -> float | None:
        """The cycles over their floor."""
        return self.cycles / self.floor_cycles if self.floor_cycles else None


def predict(artifact: Artifact, cpu: str, tools: LlvmTools) -> Prediction:
    """Return what LLVM's model of a CPU says of an instrumented artifact on one thread.

    A kernel's cycles are the sum over its blocks of how often each is executed, times its cycles.
    A block that is followed by itself waits for its last repetition's results. Others are as fast
    as the processor's units allow: what surrounds them is executed meanwhile. Every load finds its
    data in the first cache, and every jump is foreseen.

    Raises BenchError if LLVM has no model of the CPU, or the code runs on no such CPU.
    """
    code = read_machine_code(artifact.object, tools)
    model = Model(code.architecture, cpu, tools)
    check_model(model)
    executions = count_executions(code)
    kernels = {number: blocks_of(code, counts) for number, counts in executions.items()}
    everything = [block for blocks in kernels.values() for block in blocks]
    multiply_add = main_multiply_add(everything)
    alone = [(multiply_add,)] if multiply_add else []
    straight = [block.lines for block in everything if not block.loops]
    once = straight_cycles([*straight, *alone], model)
    repeated = loop_cycles([block.lines for block in everything if block.loops], model)
    cycles = {block: (repeated if block.loops else once)[block.lines] for block in everything}
    rate = macs_of(multiply_add) / once[alone[0]].cycles if alone else 0.0
    return Prediction(
        cpu=cpu,
        llvm_version=tools.version,
        multiply_add=multiply_add,
        macs_per_cycle=rate,
        kernels=tuple(
            _kernel(kernel, kernels.get(number, []), cycles, rate)
            for number, kernel in enumerate(artifact.manifest.kernels)
        ),
    )


def _kernel(
    kernel: Mapping[str, Any], blocks: Sequence[Block], cycles: Mapping[Block, Cycles], rate: float
) -> KernelPrediction:
    """Sum up a kernel's blocks, given how many multiply-accumulates a cycle can do."""
    units: dict[str, float] = {}
    for block in blocks:
        for unit, busy in cycles[block].units.items():
            units[unit] = units.get(unit, 0.0) + busy * block.executions
    total = sum(block.executions * cycles[block].cycles for block in blocks)
    macs = kernel["macs"] * kernel["calls"]
    unit, busy = max(units.items(), key=lambda item: item[1], default=("", 0.0))
    return KernelPrediction(
        name=kernel["name"],
        calls=kernel["calls"],
        macs=macs,
        instructions=sum(block.executions * len(block.lines) for block in blocks),
        cycles=total,
        floor_cycles=macs / rate if macs and rate else None,
        busiest_unit=unit,
        busiest_share=busy / total if total else 0.0,
    )
