"""How many cycles a processor takes for blocks of instructions, by LLVM's model of it."""

import json
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mobilebench.bench.prediction.llvm_tools import LlvmTools
from mobilebench.targets.errors import BenchError, did_you_mean

Lines = tuple[str, ...]
"""The assembly of a block, an instruction a line."""

_SHORT, _MANY, _FEW = 50, 100, 20  # repetitions of blocks of fewer instructions, and of others
DISPATCH = "dispatch"
"""What takes so many operations a cycle from the decoder to the processor's units, and no more."""
_UNKNOWN = "is not a recognized processor"
_NO_MODEL = "unable to find instruction-level scheduling information"
_LISTED = re.compile(r"^  (\S+) +- Select the", re.MULTILINE)
_INSTANCE = re.compile(r"(?<=\.)[\0-\x1f]$")  # llvm-mca writes its number as a byte
_ERROR = re.compile(r"error: (.*)\n(.*)")


@dataclass(frozen=True)
class Model:
    """LLVM's model of a processor."""

    architecture: str  # as `uname -m` has it
    cpu: str  # LLVM's name
    tools: LlvmTools

    @property
    def command(self) -> list[str]:
        """How llvm-mca is called for it."""
        return [str(self.tools.mca), f"-mtriple={self.architecture}-linux-gnu", f"-mcpu={self.cpu}"]


@dataclass(frozen=True)
class Cycles:
    """What executing a block once takes."""

    cycles: float
    units: Mapping[str, float]  # cycles that each unit of the processor works, DISPATCH among them


def check_model(model: Model) -> None:
    """Raise BenchError if LLVM does not know the CPU, or has no model of it."""
    told = _run(model, ["-iterations=1"], "nop").stderr
    name = f"LLVM {model.tools.version}'s llvm-mca"
    if _UNKNOWN in told:
        helped = _run(model, ["-mcpu=help"], "").stderr
        advice = did_you_mean(model.cpu, _LISTED.findall(helped), "--cpu takes LLVM's names")
        raise BenchError(f"{name} knows no CPU {model.cpu!r} of {model.architecture}; {advice}")
    if _NO_MODEL in told:
        raise BenchError(f"{name} has no model of {model.cpu}; name one like it with --cpu")


def straight_cycles(blocks: Iterable[Lines], model: Model) -> dict[Lines, Cycles]:
    """Return what llvm-mca says of each block if what is around it hides all that it waits for.

    It takes as long as the busiest unit works for it. Raises BenchError as `loop_cycles`.
    """
    different = list(dict.fromkeys(blocks))
    found = _simulate(different, model, _FEW)
    return {
        lines: Cycles(one["throughput"], one["units"])
        for lines, one in zip(different, found, strict=True)
    }


def loop_cycles(blocks: Iterable[Lines], model: Model) -> dict[Lines, Cycles]:
    """Return what llvm-mca says of one of many repetitions of each block.

    As many repetitions as count go before, until the processor is full.
    Raises BenchError for an instruction that the processor does not have.
    """
    different = dict.fromkeys(blocks)
    found = {}
    for repeats, some in (
        (_MANY, [lines for lines in different if len(lines) < _SHORT]),
        (_FEW, [lines for lines in different if len(lines) >= _SHORT]),
    ):
        few, many = (_simulate(some, model, count) for count in (repeats, 2 * repeats))
        for lines, before, after in zip(some, few, many, strict=True):
            cycles = (after["cycles"] - before["cycles"]) / repeats
            found[lines] = Cycles(cycles, after["units"])
    return found


def _simulate(blocks: Sequence[Lines], model: Model, repeats: int) -> list[dict[str, Any]]:
    """Return the cycles of so many repetitions of each block, and what one needs of the units."""
    if not blocks:
        return []
    pieces = []
    for number, lines in enumerate(blocks):
        pieces += [f"# LLVM-MCA-BEGIN {number}", *lines, f"# LLVM-MCA-END {number}"]
    options = ["-json", "-instruction-info=0", f"-iterations={repeats}"]
    done = _run(model, options, "\n".join(pieces) + "\n")
    if done.returncode:
        error = _ERROR.search(done.stderr)
        reason = " ".join(": ".join(error.groups()).split()) if error else done.stderr[:300]
        raise BenchError(
            f"LLVM {model.tools.version}'s model of {model.cpu} cannot run this code: {reason}; "
            "name a CPU that has its instructions with --cpu"
        )
    told = json.loads(done.stdout)
    units = [_INSTANCE.sub(_number, name) for name in told["TargetInfo"]["Resources"]]
    found = {int(region["Name"]): region for region in told["CodeRegions"]}
    return [_summary(found[number], units) for number in range(len(blocks))]


def _summary(region: dict[str, Any], units: Sequence[str]) -> dict[str, Any]:
    whole = len(region["Instructions"])  # the line of pressure behind all instructions'
    pressure = {
        units[one["ResourceIndex"]]: float(one["ResourceUsage"])
        for one in region["ResourcePressureView"]["ResourcePressureInfo"]
        if one["InstructionIndex"] == whole
    }
    summary = region["SummaryView"]
    operations = summary["TotaluOps"] / summary["Iterations"]
    pressure[DISPATCH] = operations / summary["DispatchWidth"]
    throughput = float(summary["BlockRThroughput"])
    return {"cycles": summary["TotalCycles"], "throughput": throughput, "units": pressure}


def _number(instance: re.Match[str]) -> str:
    return str(ord(instance[0]))


def _run(model: Model, options: list[str], text: str) -> "subprocess.CompletedProcess[str]":
    command = [*model.command, *options, "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)
