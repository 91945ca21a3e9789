"""Makes TVM's target from a target of the catalogue."""

import platform
from dataclasses import replace
from typing import Any

from mobilebench.targets.catalog.instruction_sets import cpu_flags, local_cpuinfo
from mobilebench.targets.catalog.native_cpu import corrections
from mobilebench.targets.catalog.target import CPU, Limits, Target
from mobilebench.targets.errors import BenchError, did_you_mean

_EXAMPLE = "dotprod"


def resolve(target: Target, threads: int = 1) -> dict[str, Any]:
    """Return TVM's target as plain data, for code that runs on so many threads.

    `native` is replaced by this machine's CPU, with those instruction sets that Linux lists.

    Raises BenchError if TVM or LLVM does not know the target, its CPU or an instruction set of it.
    """
    import tvm
    from tvm.target import codegen

    config = dict(target.tvm)
    cpu = config if target.device_type == CPU else dict(target.host)
    if cpu.get("mcpu") == "native":
        cpu |= _native(cpu)
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
        known = codegen.llvm_get_cpu_archlist(
            tvm.target.Target({"kind": "llvm", "mtriple": triple})
        )
        raise BenchError(
            f"target {target.name}: LLVM knows no CPU {cpu['mcpu']!r} for {triple}; "
            f"{did_you_mean(cpu['mcpu'], sorted(map(str, known)))}"
        )
    for attribute in cpu.get("mattr", ()):
        if not _is_known(attribute, triple):
            raise BenchError(
                f"target {target.name}: mattr has {attribute!r}, which LLVM does not know for "
                f'{triple}; write its own name of an instruction set, such as "+{_EXAMPLE}"'
            )
    return config


def pinned(target: Target) -> Target:
    """Return a target with this machine's CPU in place of `native`, for who builds it elsewhere."""
    cpu = target.tvm if target.device_type == CPU else target.host
    if cpu.get("mcpu") != "native":
        return target
    named = cpu | _native(cpu)
    is_cpu = target.device_type == CPU
    return replace(target, tvm=named) if is_cpu else replace(target, host=named)


def _native(cpu: dict[str, Any]) -> dict[str, Any]:
    """Return this machine's CPU and what LLVM would get wrong about it."""
    import tvm
    from tvm.target import codegen

    name = str(codegen.llvm_get_system_cpu())
    usual = tvm.target.Target({"kind": "llvm", "mcpu": name})
    implied = frozenset(map(str, codegen.llvm_get_cpu_features(usual)))
    found = corrections(implied, cpu_flags(local_cpuinfo()), platform.machine())
    triple = str(codegen.llvm_get_system_triple())
    known = [attribute for attribute in found if _is_known(attribute, triple)]
    mattr = [*known, *cpu.get("mattr", ())]
    return {"mcpu": name} | ({"mattr": mattr} if mattr else {})


def _is_known(attribute: str, triple: str) -> bool:
    """Whether LLVM knows an instruction set, which it would ignore otherwise."""
    import tvm
    from tvm.target import codegen

    sign, name = attribute[:1], attribute[1:]
    with_it = tvm.target.Target({"kind": "llvm", "mtriple": triple, "mattr": [f"+{name}"]})
    return sign in ("+", "-") and name in set(map(str, codegen.llvm_get_cpu_features(with_it)))


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
