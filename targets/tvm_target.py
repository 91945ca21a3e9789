"""From a target of the catalogue to TVM's own."""

import os
from typing import Any

from targets.errors import BenchError
from targets.target import Target


def resolve(target: Target) -> dict[str, Any]:
    """Return TVM's target as plain data, with `native` replaced by this machine's CPU.

    Raises BenchError for what TVM or LLVM does not know.
    """
    import tvm
    from tvm.target import codegen

    config = dict(target.tvm)
    if config.get("mcpu") == "native":
        config["mcpu"] = str(codegen.llvm_get_system_cpu())
        config.setdefault("num-cores", os.cpu_count() or 1)
    try:
        tvm.target.Target(config)
    except (ValueError, TypeError, tvm.error.InternalError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BenchError(f"target {target.name}: TVM refuses it: {reason}") from error
    triple = config.get("mtriple", codegen.llvm_get_system_triple())
    if "mcpu" in config and not codegen.llvm_is_valid_cpu(config["mcpu"], triple):
        raise BenchError(f"target {target.name}: LLVM knows no CPU {config['mcpu']!r}")
    return config
