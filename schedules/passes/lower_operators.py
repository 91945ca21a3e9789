"""Say how the operators that have a template are computed, with weights laid out for it."""

import operator
from functools import partial
from typing import Any

import tvm
from tvm import relax
from tvm.ir import GenericConst, Op
from tvm.relax.expr_functor import PyExprMutator, mutator

from mobilebench.schedules.ir.rewrite import rewrite_functions
from mobilebench.schedules.machine import Machine, Processor
from mobilebench.schedules.operators import (
    broadcast,
    classifier,
    concat,
    convolution,
    depthwise,
    pointwise,
    pooling,
    resize,
    stem,
)
from mobilebench.schedules.operators.products import products_of
from mobilebench.schedules.operators.window import Window
from mobilebench.schedules.templates.registry import templates_of

_RESIZE = Op.get("relax.image.resize2d")
_TO_PLANES = (0, 3, 1, 2)
_INJECTIVE = 2  # likewise: it is not fused into what computes its inputs
_OUT_ELEMENTWISE_FUSABLE = 4  # TVM's op pattern: what follows element by element may be fused
_COMBINING = {
    "relax.add": operator.add,
    "relax.subtract": operator.sub,
    "relax.multiply": operator.mul,
}


@tvm.transform.module_pass(opt_level=0, name="LowerOperators")
class LowerOperators:
    """Replace what an operator of ours computes, convolutions first of all, by its computation.

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
        self._lowered = {
            "relax.nn.conv2d": self._convolution,
            "relax.mean": self._mean,
            "relax.matmul": self._matmul,
            "relax.concat": self._concat,
            "relax.permute_dims": self._planes,
            "relax.image.resize2d": self._resize,
            **dict.fromkeys(_COMBINING, self._combined),
        }

    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        lower = self._lowered.get(call.op.name) if isinstance(call.op, Op) else None
        return call if lower is None else lower(call)

    def _convolution(self, call: Any) -> Any:
        attrs, (data, weight) = call.attrs, call.args
        values = self._values(weight)
        if values is None or (attrs.data_layout, attrs.kernel_layout) != ("NHWC", "HWIO"):
            return call
        stride, dilation = _integers(attrs.strides), _integers(attrs.dilation)
        padding = _integers(attrs.padding)
        kind, machine = str(values.dtype), self._computing(values)
        wide = products_of(kind, wide=True)
        taps_y, taps_x, _, outputs = values.shape
        window = Window(stride, padding, dilation)
        inputs = int(data.ty.shape[3])
        plain = attrs.groups == 1 and dilation == (1, 1)
        if plain and (taps_y, taps_x) == (1, 1) and stride == (1, 1) and not any(padding):
            packed = relax.const(self._templates.pointwise.pack(values[0, 0], machine))
            compute = partial(pointwise.compute, products=products_of(kind))
            return self._emit(compute, data, packed, outputs)
        if attrs.groups == inputs == outputs:
            kernel = relax.const(values.reshape(taps_y, taps_x, outputs))
            compute = partial(depthwise.compute, window=window, products=wide)
            return self._emit(compute, data, kernel)
        planar = self._before_transpose(data)
        if plain and planar is not None:
            packed = relax.const(self._templates.stem.pack(values, machine))
            return self._emit(stem.compute, planar, packed, outputs, stride, padding)
        if attrs.groups == 1 and planar is None:
            template = self._templates.convolution
            packed = relax.const(template.pack(values, self._machine))
            compute = partial(convolution.compute, window=window, products=wide)
            skippable = template.SKIPS_PADDING
            return self._emit(compute, data, packed, outputs, skippable=skippable)
        return call

    def _mean(self, call: Any) -> Any:
        axes = _integers(call.attrs.axis or ())
        if len(call.args[0].ty.shape) != 4 or axes != (1, 2):
            return call
        return self._emit(pooling.compute, call.args[0], keep=bool(call.attrs.keepdims))

    def _matmul(self, call: Any) -> Any:
        data, weight = call.args
        values = self._values(weight)
        if values is None or values.ndim != 2 or _integers(data.ty.shape) != (1, len(values)):
            return call
        packed = relax.const(self._templates.classifier.pack(values, self._machine))
        # Memory sets the pace, so that nothing is gained by short sums.
        wide = products_of(str(values.dtype), wide=True)
        compute = partial(classifier.compute, products=wide)
        return self._emit(compute, data, packed, values.shape[1])

    def _combined(self, call: Any) -> Any:
        """Compute two feature maps of different shapes in a kernel of their own."""
        shapes = [_integers(one.ty.shape) for one in call.args]
        constant = any(self._values(one) is not None for one in call.args)
        if constant or shapes[0] == shapes[1] or not len(shapes[0]) == len(shapes[1]) == 4:
            return call
        compute = partial(broadcast.compute, combine=_COMBINING[call.op.name])
        return self._emit(compute, *call.args, pattern=_INJECTIVE)

    def _planes(self, call: Any) -> Any:
        """Write what is enlarged as the planes that it is asked for."""
        resized = self._bound(call.args[0])
        if not isinstance(resized, relax.Call) or resized.op != _RESIZE:
            return call
        in_order = resized.attrs.layout == "NHWC" and _axes(call) == _TO_PLANES
        return self._enlarged(call, resized.args[0], resized.attrs) if in_order else call

    def _resize(self, call: Any) -> Any:
        """Read as they are the features that were made planes to be enlarged."""
        planes = self._bound(call.args[0])
        if not isinstance(planes, relax.Call) or planes.op != Op.get("relax.permute_dims"):
            return call
        in_order = call.attrs.layout == "NCHW" and _axes(planes) == _TO_PLANES
        return self._enlarged(call, planes.args[0], call.attrs) if in_order else call

    def _enlarged(self, call: Any, data: Any, attrs: Any) -> Any:
        """Return planes of enlarged NHWC data; the call itself for what no template enlarges."""
        mode = str(attrs.coordinate_transformation_mode)
        known = mode in ("align_corners", "half_pixel") and str(attrs.method) == "linear"
        _, height, width, _ = size = _integers(data.ty.shape)
        _, _, out_height, out_width = _integers(call.ty.shape)
        if not known or min(size[1:3]) < 2:
            return call
        aligned = mode == "align_corners"
        rows = resize.Enlarging(height, out_height, aligned)
        columns = resize.Enlarging(width, out_width, aligned)
        tables = [*rows.neighbours(), columns.bands(self._machine.vector_floats)]
        return self._emit(resize.compute, data, *map(relax.const, tables), out_width, aligned)

    def _concat(self, call: Any) -> Any:
        """Join reshaped feature maps whose pieces lie in memory as they do by themselves."""
        shape = _integers(call.ty.shape)
        maps = [self._before_reshape(part) for part in self._bound(call.args[0]).fields]
        if len(shape) != 3 or shape[0] != 1 or call.attrs.axis != 1 or None in maps:
            return call
        return self._emit(concat.compute, *maps, values=shape[2])

    def _before_reshape(self, part: Any) -> Any:
        """Return the feature map of which a part is the reshape, if it is one."""
        bound = self._bound(part)
        if not isinstance(bound, relax.Call) or bound.op != Op.get("relax.reshape"):
            return None
        source, values = bound.args[0], int(part.ty.shape[-1])
        fits = len(source.ty.shape) == 4 and int(source.ty.shape[3]) % values == 0
        return source if fits else None

    def _emit(
        self, compute: Any, *args: Any, pattern: int = _OUT_ELEMENTWISE_FUSABLE, **options: Any
    ) -> Any:
        name = getattr(compute, "func", compute).__module__.rpartition(".")[2]
        return self.builder_.call_te(
            compute,
            *args,
            **options,
            primfunc_name_hint=name,
            primfunc_attrs={"op_pattern": pattern},
        )

    def _computing(self, values: Any) -> Processor:
        """Return the processor as it is for numbers of their kind."""
        machine = self._machine
        return machine.computing(str(values.dtype)) if isinstance(machine, Machine) else machine

    def _values(self, expr: Any) -> Any:
        """Return a constant's values as an array; None for what is not constant."""
        expr = self._bound(expr)
        return expr.value.numpy() if isinstance(expr, GenericConst) else None

    def _bound(self, expr: Any) -> Any:
        """Return what a variable stands for; anything else is itself."""
        return self.lookup_binding(expr) if isinstance(expr, relax.Var) else expr

    def _before_transpose(self, data: Any) -> Any:
        """Return the NCHW tensor of which `data` is the NHWC transpose, if it is one."""
        bound = self._bound(data)
        if isinstance(bound, relax.Call) and bound.op == Op.get("relax.permute_dims"):
            axes = bound.attrs.axes
            if axes is not None and _integers(axes) == (0, 2, 3, 1):
                return bound.args[0]
        return None


def _axes(call: Any) -> Any:
    return _integers(call.attrs.axes or ())


def _integers(values: Any) -> Any:
    return tuple(int(value) for value in values)
