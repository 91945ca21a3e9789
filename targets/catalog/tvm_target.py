"""Makes TVM's target from a target of the catalogue."""

from typing import Any

from mobilebench.targets.catalog.target import CPU, Limits, Target
from mobilebench.targets.errors import BenchError


def resolve(target: Target, threads: int = 1) -> dict[str, Any]:
    """Return TVM's target as plain data, for code that runs on so many threads.

    `native` is replaced by this machine's CPU.

    Raises BenchError if TVM or LLVM does not know the target or its CPU.
    """
    import tvm
    from tvm.target import codegen

    config = dict(target.tvm)
    cpu = config if target.device_type == CPU else dict(target.host)
    if cpu.get("mcpu") == "native":
        cpu["mcpu"] = str(codegen.llvm_get_system_cpu())
    if target.device_type == CPU:
        config["num-cores"] = threads
    else:
        config |= _attributes(target.limits or Limits()) | {"host": cpu}
    try:
        tvm.target.Target(config)
    except (ValueError, TypeError, tvm.error.InternalError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BenchError(f"target {target.name}: TVM refuses it: {reason}") from error
    triple = cpu.get("mtriple", codegen.llvm_get_system_triple())
    if "mcpu" in cpu and not codegen.llvm_is_valid_cpu(cpu["mcpu"], triple):
        raise BenchError(f"target {target.name}: LLVM knows no CPU {cpu['mcpu']!r}")
    return config


def _attributes(limits: Limits) -> dict[str, int]:
    """Return limits under TVM's names; TVM has none for the last two, but takes them."""
    return {
        "max_num_threads": limits.work_group,
        "max_threads_per_block": limits.work_group,
        "max_shared_memory_per_block": limits.local_bytes,
        "thread_warp_size": limits.subgroup,
        "feature.vector_floats": limits.vector_floats,
        "feature.compute_units": limits.compute_units,
    }
