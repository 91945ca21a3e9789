"""Which of LLVM's models of processors stands for a CPU."""

from collections.abc import Mapping
from typing import Any

from mobilebench.targets.catalog.target import CPU, Target
from mobilebench.targets.errors import BenchError

# LLVM describes these as a Cortex-A57, which multiplies half as many numbers a cycle. Arm made the
# Neoverse N1 of the Cortex-A76, and the Neoverse V1 of the Cortex-X1.
_LIKE: Mapping[str, str] = {
    **dict.fromkeys(("cortex-a76", "cortex-a76ae", "cortex-a77"), "neoverse-n1"),
    **dict.fromkeys(("cortex-a78", "cortex-a78ae", "cortex-a78c"), "neoverse-n1"),
    **dict.fromkeys(("cortex-x1", "cortex-x1c"), "neoverse-v1"),
}


def check_has_model(target: Target) -> None:
    """Raise BenchError for a target whose code LLVM has no model for."""
    if target.device_type != CPU:
        raise BenchError(
            f"target {target.name}: LLVM has models of CPUs alone; give a target whose device_type "
            "is cpu"
        )


def model_of(tvm_target: Mapping[str, Any], name: str) -> str:
    """Return the CPU, by LLVM's name, whose model stands for that of TVM's target.

    Raises BenchError, naming the target, if it does not say which CPU its code is for.
    """
    cpu = str(tvm_target.get("mcpu", ""))
    if not cpu:
        raise BenchError(f"target {name}: it has no mcpu; name a CPU with --cpu")
    return _LIKE.get(cpu, cpu)
