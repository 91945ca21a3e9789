"""Give ReLU6 and its kin operators that layouts pass through, after the ONNX importer."""

import math
from typing import Any

import tvm
from tvm import relax, s_tir, tirx
from tvm.ir import GenericConst, Op
from tvm.ir.expr import TensorLoad
from tvm.relax.expr_functor import PyExprMutator, mutator

from mobilebench.schedules.ir.rewrite import rewrite_functions

_BOUNDS = {tirx.Max: relax.op.maximum, tirx.Min: relax.op.minimum}


@tvm.transform.module_pass(opt_level=0, name="CanonicalizeReLU6")
class CanonicalizeReLU6:
    """Rewrite the importer's Clip as `relax.minimum(relax.maximum(x, 0), 6)`.

    The importer emits Clip as calls to opaque TIR functions `max(x, bound)` and `min(x, bound)`,
    whose bound is `where(isnan(b), inf, b)`. Opaque calls stop ConvertLayout, so every activation
    would be wrapped in two transposes; the relax operators let the layout through and fuse into
    the convolution. The guard against NaN is resolved here, since `b` is a constant: TVM's
    FoldConstant would compile and run a kernel for each.

    Hard sigmoid and hard swish come with Relax's own clip, which stops layouts as well, and with
    a division by a constant; they become the same operators and a multiplication.
    """

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite every relax function; the opaque functions are left without callers."""
        return relax.transform.DeadCodeElimination()(rewrite_functions(mod, _ClipRewriter(mod)))


@mutator
class _ClipRewriter(PyExprMutator):
    def __init__(self, mod: tvm.IRModule) -> None:
        super().__init__(mod)
        self._mod = mod

    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        if call.op == Op.get("relax.clip"):
            return self._clip(call)
        if call.op == Op.get("relax.divide"):
            return self._divide(call)
        if call.op != Op.get("relax.call_tir") or len(call.args[1]) != 2:
            return call
        data, bound = call.args[1]
        value = self._constant(bound)
        operator = _elementwise_bound(self._mod[call.args[0]])
        if operator is None or value is None:
            return call
        return operator(data, relax.const(value, call.ty.dtype))

    def _clip(self, call: Any) -> Any:
        data, dtype = call.args[0], call.ty.dtype
        least, most = (_number(bound) for bound in call.args[1:3])
        if least is None or most is None:
            return call
        above = self.builder_.emit(relax.op.maximum(data, relax.const(least, dtype)))
        return relax.op.minimum(above, relax.const(most, dtype))

    def _divide(self, call: Any) -> Any:
        data, by = call.args
        value = self._constant(by)
        floating = str(call.ty.dtype).startswith("float")
        if value is None or value == 0 or not math.isfinite(value) or not floating:
            return call
        return relax.op.multiply(data, relax.const(1 / value, call.ty.dtype))

    def _constant(self, expr: Any) -> float | None:
        """Return the number that a clip bound stands for, if it is one."""
        if isinstance(expr, relax.Var):
            expr = self.lookup_binding(expr)
        if isinstance(expr, GenericConst):
            return float(expr.value.numpy()) if expr.value.numpy().ndim == 0 else None
        if isinstance(expr, relax.Call) and expr.op == Op.get("relax.where"):
            guarded = self._constant(expr.args[2])
            return None if guarded is None or math.isnan(guarded) else guarded
        return None


def _number(value: Any) -> float | None:
    """Return the number that a primitive value of Relax is, if it is one."""
    value = getattr(value, "value", value)
    if isinstance(value, int | float):
        return float(value)
    inner = getattr(value, "value", None)
    return float(inner) if isinstance(inner, int | float) else None


def _elementwise_bound(function: tirx.PrimFunc) -> Any:
    """Return `relax.op.maximum` or `minimum` if that is all that the function computes.

    All means: of an element of its first argument and of its second argument, a scalar.
    """
    schedule = s_tir.Schedule(function)
    blocks = schedule.get_child_blocks(schedule.get_sblock("root"))
    if len(blocks) != 1:
        return None
    body = schedule.get(blocks[0]).body
    if not isinstance(body, tirx.BufferStore) or type(body.value) not in _BOUNDS:
        return None
    data, bound = body.value.a, body.value.b
    if not all(isinstance(operand, TensorLoad) for operand in (data, bound)):
        return None
    same_element = len(data.indices) == len(body.indices) and all(
        read.same_as(written) for read, written in zip(data.indices, body.indices, strict=True)
    )
    return _BOUNDS[type(body.value)] if same_element and not len(bound.indices) else None
