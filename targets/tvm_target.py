"""From a target of the catalogue to TVM's own."""

from typing import Any

from targets.errors import BenchError
from targets.target import Target


def resolve(target: Target, threads: int = 1) -> dict[str, Any]:
    """Return TVM's target as plain data, for code that runs on so many threads.

    `native` is replaced by this machine's CPU.

    Raises BenchError for what TVM or LLVM does not know.
    """
    import tvm
    from tvm.target import codegen

    config = dict(target.tvm)
    if config.get("mcpu") == "native":
        config["mcpu"] = str(codegen.llvm_get_system_cpu())
    config["num-cores"] = threads
    try:
        tvm.target.Target(config)
    except (ValueError, TypeError, tvm.error.InternalError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BenchError(f"target {target.name}: TVM refuses it: {reason}") from error
    triple = config.get("mtriple", codegen.llvm_get_system_triple())
    if "mcpu" in config and not codegen.llvm_is_valid_cpu(config["mcpu"], triple):
        raise BenchError(f"target {target.name}: LLVM knows no CPU {config['mcpu']!r}")
    return config
