"""What a planned module needs in memory, read from the plan itself."""

from dataclasses import dataclass
from math import prod
from typing import Any

import tvm
from tvm import relax, tirx
from tvm.ir import GenericConst, Op

from mobilebench.schedules.passes.merge_kernels import KERNELS


@dataclass(frozen=True)
class Footprint:
    """Sizes of a planned Relax module."""

    arena_bytes: int  # storage that the activations share; without input and output
    params_bytes: int  # constants, as they are laid out for the target
    kernel_count: int  # kernels after fusion


def footprint(planned: tvm.IRModule) -> Footprint:
    """Add up what TVM's storage planner allocates and what the constants take."""
    arena = params = 0

    def visit(expr: Any) -> None:
        nonlocal arena, params
        if isinstance(expr, relax.Call) and expr.op == Op.get("relax.memory.alloc_storage"):
            arena += prod(int(size) for size in expr.args[0].values)
        elif isinstance(expr, GenericConst) and isinstance(expr.value, tvm.runtime.Tensor):
            params += expr.value.numpy().nbytes

    for function in planned.functions.values():
        if isinstance(function, relax.Function):
            relax.analysis.post_order_visit(function, visit)
    kernels = [f for f in planned.functions.values() if isinstance(f, tirx.PrimFunc)]
    kernel_count = sum(int((kernel.attrs or {}).get(KERNELS, 1)) for kernel in kernels)
    return Footprint(arena, params, kernel_count)
