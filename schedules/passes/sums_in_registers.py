"""Sums that a tile keeps in registers, as LLVM sees them."""

from typing import Any

import tvm
from tvm import tirx

from mobilebench.schedules.ir.rewrite import rewrite_kernels
from mobilebench.schedules.templates.task import tensor_bytes

TIR_PIPELINE = "sums_in_registers"  # TVM's name of how kernels become code: the usual, then this
_VARIABLE = "disable_lower_builtin"  # TVM's annotation of what it declares in LLVM as it is
_MOST_BYTES = 4096  # more than the registers of any core hold


@tvm.transform.module_pass(opt_level=0, name="SumsInRegisters")
class SumsInRegisters:
    """Let small local tensors be variables instead of memory that TVM's runtime is asked for.

    LLVM takes a variable into registers and forgets it. Memory of the runtime's it keeps up to
    date, so that every sum would be stored twice: there, and where the output belongs.
    """

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite all kernels."""
        return rewrite_kernels(mod, tirx.AllocBuffer, _as_variable)


def _as_variable(allocation: tirx.AllocBuffer) -> Any:
    buffer = allocation.buffer
    if buffer.scope() != "local" or tensor_bytes(buffer) > _MOST_BYTES:
        return allocation
    kept = {**allocation.annotations, _VARIABLE: tirx.IntImm("bool", 1)}
    return tirx.AllocBuffer(buffer, kept)


def _tir_pipeline() -> tuple[Any, Any, Any]:
    """Return TVM's usual passes over kernels, and this one after them; then TVM's last ones."""
    usual, *last = tirx.get_tir_pipeline("default")
    return tvm.transform.Sequential([usual, SumsInRegisters()]), *last


tirx.register_tir_pipeline(TIR_PIPELINE, _tir_pipeline)
