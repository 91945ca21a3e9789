"""Say how the operators that have a template are computed, with weights laid out for it."""

from typing import Any

import tvm
from tvm import relax
from tvm.ir import GenericConst, Op
from tvm.relax.expr_functor import PyExprMutator, mutator

from schedules.machine import Processor
from schedules.operators import classifier, depthwise, pointwise, pooling, stem
from schedules.passes.rewrite import rewrite_functions
from schedules.templates.registry import templates_of

_OUT_ELEMENTWISE_FUSABLE = 4  # TVM's op pattern: what follows element by element may be fused


@tvm.transform.module_pass(opt_level=0, name="LowerOperators")
class LowerOperators:
    """Replace NHWC convolutions, global pooling and the classifier by the templates' computations.

    Constant weights are packed here, once, in numpy; nothing is transformed at run time. What no
    template knows is left for LegalizeOps.
    """

    def __init__(self, machine: Processor) -> None:
        self._machine = machine

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite every relax function."""
        return rewrite_functions(mod, _Lowerer(mod, self._machine))


@mutator
class _Lowerer(PyExprMutator):
    def __init__(self, mod: tvm.IRModule, machine: Processor) -> None:
        super().__init__(mod)
        self._machine = machine
        self._templates = templates_of(machine)

    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        if call.op == Op.get("relax.nn.conv2d"):
            return self._convolution(call)
        if call.op == Op.get("relax.mean"):
            return self._mean(call)
        if call.op == Op.get("relax.matmul"):
            return self._matmul(call)
        return call

    def _convolution(self, call: Any) -> Any:
        attrs, (data, weight) = call.attrs, call.args
        values = self._values(weight)
        if values is None or (attrs.data_layout, attrs.kernel_layout) != ("NHWC", "HWIO"):
            return call
        stride, dilation = _integers(attrs.strides), _integers(attrs.dilation)
        padding = _integers(attrs.padding)
        taps_y, taps_x, _, outputs = values.shape
        inputs = int(data.ty.shape[3])
        plain = attrs.groups == 1 and dilation == (1, 1)
        if plain and (taps_y, taps_x) == (1, 1) and stride == (1, 1) and not any(padding):
            packed = relax.const(self._templates.pointwise.pack(values[0, 0], self._machine))
            return self._emit(pointwise.compute, data, packed, outputs)
        if attrs.groups == inputs == outputs:
            kernel = relax.const(values.reshape(taps_y, taps_x, outputs))
            return self._emit(depthwise.compute, data, kernel, stride, padding, dilation)
        planar = self._before_transpose(data)
        if plain and planar is not None:
            packed = relax.const(self._templates.stem.pack(values, self._machine))
            return self._emit(stem.compute, planar, packed, outputs, stride, padding)
        return call

    def _mean(self, call: Any) -> Any:
        axes = _integers(call.attrs.axis or ())
        if len(call.args[0].ty.shape) != 4 or axes != (1, 2) or call.attrs.keepdims:
            return call
        return self._emit(pooling.compute, call.args[0])

    def _matmul(self, call: Any) -> Any:
        data, weight = call.args
        values = self._values(weight)
        if values is None or values.ndim != 2 or _integers(data.ty.shape) != (1, len(values)):
            return call
        packed = relax.const(self._templates.classifier.pack(values, self._machine))
        return self._emit(classifier.compute, data, packed, values.shape[1])

    def _emit(self, compute: Any, *args: Any) -> Any:
        name = compute.__module__.rpartition(".")[2]
        return self.builder_.call_te(
            compute,
            *args,
            primfunc_name_hint=name,
            primfunc_attrs={"op_pattern": _OUT_ELEMENTWISE_FUSABLE},
        )

    def _values(self, expr: Any) -> Any:
        """Return a constant's values as an array; None for what is not constant."""
        if isinstance(expr, relax.Var):
            expr = self.lookup_binding(expr)
        return expr.value.numpy() if isinstance(expr, GenericConst) else None

    def _before_transpose(self, data: Any) -> Any:
        """Return the NCHW tensor of which `data` is the NHWC transpose, if it is one."""
        bound = self.lookup_binding(data) if isinstance(data, relax.Var) else data
        if isinstance(bound, relax.Call) and bound.op == Op.get("relax.permute_dims"):
            axes = bound.attrs.axes
            if axes is not None and _integers(axes) == (0, 2, 3, 1):
                return bound.args[0]
        return None


def _integers(values: Any) -> tuple[int, ...]:
    return tuple(int(value) for value in values)
