"""Finds what is wrong with a target before anything is compiled for it."""

from typing import Any

from mobilebench.targets.catalog.instruction_sets import cpu_flags, flag_problem, local_cpuinfo
from mobilebench.targets.catalog.platforms import (
    architecture_of_triple,
    host_triple,
    linking_problem,
    runs_here,
)
from mobilebench.targets.catalog.target import CPU, Target
from mobilebench.targets.errors import BenchError

_LLVM = "llvm"  # what makes code for every CPU


def check_platform(target: Target) -> None:
    """Raise BenchError if no code can be made for a target, or its flags are no processor's."""
    cpu, triple = _cpu_of(target), triple_of(target)
    where = "tvm" if target.device_type == CPU else "host"
    if cpu["kind"] != _LLVM:
        raise BenchError(
            f'target {target.name}: kind in [{where}] is {cpu["kind"]!r}; a CPU\'s is "{_LLVM}"'
        )
    if problem := linking_problem(target.toolchain, triple):
        raise BenchError(f"target {target.name}: {problem}")
    here = cpu_flags(local_cpuinfo()) if runs_here(triple) else frozenset()
    for flag in target.cpu_flags:
        if problem := flag_problem(flag, architecture_of_triple(triple or host_triple()), here):
            raise BenchError(f"target {target.name}: {problem}")


def require_device(target: Target) -> None:
    """Raise BenchError for a target without a tracker key whose code cannot run here."""
    if target.tracker_key or runs_here(triple_of(target)):
        return
    raise BenchError(
        f"target {target.name}: its code is for {triple_of(target)}, and this machine is "
        f'{host_triple()}; to measure boards, give it tracker_key = "WORD", under which they '
        "are registered at a tracker (docs/guide/11-boards.md)"
    )


def triple_of(target: Target) -> str:
    """Return LLVM's name of the platform that a target's code is for; empty for this machine's."""
    return str(_cpu_of(target).get("mtriple", ""))


def _cpu_of(target: Target) -> dict[str, Any]:
    return target.tvm if target.device_type == CPU else target.host
