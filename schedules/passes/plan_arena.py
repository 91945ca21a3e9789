"""Put all activations into one piece of memory."""

from math import prod
from typing import Any

import tvm
from tvm import relax
from tvm.ir import Op
from tvm.relax.expr_functor import PyExprMutator, mutator

from schedules.arena import Lifetime, plan, total_bytes


@tvm.transform.module_pass(opt_level=0, name="PlanArena")
class PlanArena:
    """Replace allocations of intermediate tensors by places in one storage.

    TVM's StaticPlanBlockMemory reuses whole storages, so a small tensor occupies a large one;
    offsets waste nothing. Tensors that are returned, and those of unknown size, keep allocations of
    their own. Runs on the binding sequence that CallTIRRewrite leaves, where every operand is
    written into a tensor that was allocated before.
    """

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite every relax function that is one sequence of bindings."""
        result = mod.clone()
        for name, function in mod.functions_items():
            if isinstance(function, relax.Function):
                placer = _Placer(_lifetimes(function))
                result.update_func(name, placer.visit_expr(function))
        return result


def _lifetimes(function: relax.Function) -> dict[Any, Lifetime]:
    """Return the lifetime of every tensor that may lie in the arena, by its variable."""
    bindings = [binding for block in function.body.blocks for binding in block.bindings]
    owner: dict[Any, Any] = {}  # from a variable to the allocation that it is another name of
    first: dict[Any, int] = {}
    last: dict[Any, int] = {}
    size: dict[Any, int] = {}

    def touch(expr: Any, step: int) -> None:
        for variable in relax.analysis.free_vars(expr):
            if variable in owner:
                last[owner[variable]] = step

    for step, binding in enumerate(bindings):
        value = binding.value
        touch(value, step)
        if _is_allocation(value) and (nbytes := _static_bytes(value)) is not None:
            owner[binding.var], first[binding.var], size[binding.var] = binding.var, step, nbytes
            last[binding.var] = step
        elif isinstance(value, relax.Var) and value in owner:
            owner[binding.var] = owner[value]
    for variable in relax.analysis.free_vars(function.body.body):
        size.pop(owner.get(variable), None)  # returned
    return {var: Lifetime(size[var], first[var], last[var]) for var in size}


@mutator
class _Placer(PyExprMutator):
    def __init__(self, lifetimes: dict[Any, Lifetime]) -> None:
        super().__init__()
        order = list(lifetimes.values())
        offsets = plan(order)
        self._bytes = total_bytes(order, offsets)
        self._offsets = dict(zip(lifetimes, offsets, strict=True))
        self._storage: Any = None

    def visit_var_binding_(self, binding: Any) -> None:
        if binding.var not in self._offsets:
            super().visit_var_binding_(binding)
            return
        if self._storage is None:
            size = relax.ShapeExpr([self._bytes])
            storage = relax.op.memory.alloc_storage(size, 0, "global", "uint8")
            self._storage = self.builder_.emit(storage, "arena")
        shape, dtype = binding.value.args[:2]
        offset = relax.prim_value(self._offsets[binding.var])
        placed = relax.op.memory.alloc_tensor(self._storage, offset, shape, dtype)
        # Kernels take tensors that begin where their data begins.
        placed = relax.op.memory.ensure_zero_offset(self.builder_.emit(placed))
        placed = self.builder_.normalize(placed)
        self.builder_.emit_normalized(relax.VarBinding(binding.var, placed))


def _is_allocation(value: Any) -> bool:
    return isinstance(value, relax.Call) and value.op == Op.get("relax.builtin.alloc_tensor")


def _static_bytes(value: Any) -> int | None:
    shape, dtype = value.args[:2]
    try:
        elements = prod(int(extent) for extent in shape.values)
    except (TypeError, ValueError):
        return None
    return elements * int(tvm.DataType(str(dtype.value)).itemsize)
