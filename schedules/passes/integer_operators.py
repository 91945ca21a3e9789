"""Compute with the bytes that a quantized graph describes."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import tvm
from tvm import relax, te

from mobilebench.schedules.ir.pixels import normalised_pixels, to_bytes
from mobilebench.schedules.ir.quantized import Product, QuantizedGraph, Scale, is_call, scale_of
from mobilebench.schedules.ir.residuals import Residual, residuals
from mobilebench.schedules.machine import Processor
from mobilebench.schedules.operators import image_words, pooling, requantize
from mobilebench.schedules.operators.stored_bytes import of_kind
from mobilebench.schedules.templates.byte_moves import ByteMoves, byte_moves
from mobilebench.schedules.templates.byte_sums import ByteSums, byte_kind, byte_sums

_OPAQUE = 8  # TVM's op pattern: nothing is fused into it
_INT32_END = 2.0**30  # of the integers that a rounded number can be, with room for a zero point
_TO_PLANES = [0, 3, 1, 2]
_PIXELS = 4  # dimensions of a tensor that has some


@tvm.transform.module_pass(opt_level=0, name="IntegerOperators")
class IntegerOperators:
    """Make integer operators of what lies between DequantizeLinear and QuantizeLinear.

    A convolution or matrix product with its bias, its bounds and the residual becomes one operator
    from bytes to bytes; only what has no integer form is computed with floating-point numbers.
    Bytes are laid out as NHWC. Runs on the imported graph, where all is NCHW.
    """

    def __init__(self, machine: Processor) -> None:
        self._machine = machine

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`."""
        return _Rewriting(mod, self._machine).module()


@dataclass(frozen=True)
class _Bytes:
    """A tensor of bytes in the new graph: NHWC if it has pixels."""

    variable: Any
    scale: Scale


class _Rewriting:
    def __init__(self, mod: tvm.IRModule, machine: Processor) -> None:
        self._main = mod["main"]
        self._machine = machine
        self._kind = byte_kind(machine)
        others = {n: f for n, f in mod.functions_items() if n.name_hint != "main"}
        self._builder = relax.BlockBuilder(tvm.IRModule(others))
        self._graph = QuantizedGraph(self._main)
        self._residuals = residuals(self._graph)
        self._bytes: dict[Any, _Bytes | None] = {}  # by the old variable; None: there are none
        self._pixels: dict[Any, Any] = {}  # of what is the same everywhere, by the old variable
        self._floats: dict[Any, Any] = {}  # new expressions by the old variable

    def module(self) -> tvm.IRModule:
        """Return the module with a new `main`."""
        params = [relax.Var(one.name, one.ty) for one in self._main.params]
        self._floats = dict(zip(self._main.params, params, strict=True))
        fused = {one.product for one in self._residuals.values()}
        with self._builder.function("main", params, attrs=dict(self._main.attrs)):
            with self._builder.dataflow():
                for variable, value in self._graph.definitions.items():
                    is_own = is_call(value, "quantize") and variable not in fused
                    if is_own and self._as_bytes(variable) is None:
                        self._as_floats(variable)  # in order, so that no call is nested deeply
                result = self._builder.emit_output(self._as_floats(self._main.body.body))
            self._builder.emit_func_output(result)
        rewritten = self._builder.get()
        name = rewritten.get_global_var("main")
        rewritten.update_func(name, relax.analysis.remove_all_unused(rewritten[name]))
        return relax.transform.DeadCodeElimination()(rewritten)

    def _as_bytes(self, variable: Any) -> _Bytes | None:
        """Return the bytes of a variable that was quantized; None if they stay what they are."""
        if variable not in self._bytes:
            call = self._graph.value(variable)
            scale = scale_of(call) if is_call(call, "quantize") else None
            found = None if scale is None else self._computed(variable, call.args[0], scale)
            self._bytes[variable] = None if found is None or scale is None else _Bytes(found, scale)
        return self._bytes[variable]

    def _computed(self, variable: Any, source: Any, scale: Scale) -> Any:
        """Return a new variable of bytes with a scale; None where there is no integer form."""
        if variable in self._residuals:
            return self._with_residual(self._residuals[variable], scale)
        product = self._graph.product(source)
        if product is not None:
            sums = self._sums(product)
            return None if sums is None else self._to_bytes(sums, product, scale)
        inner = self._graph.value(source)
        if is_call(inner, "mean"):
            return self._pooled(inner, scale)
        moves = byte_moves(self._graph, source, scale)
        return None if moves is None else self._moved(moves)

    def _moved(self, moves: ByteMoves) -> Any:
        """Return bytes that come from elsewhere, with another scale."""
        data = [self._part(one, whole=not moves.is_joined) for one in moves.data]
        if any(one is None for one in data):
            return None
        compute = partial(moves.compute, kind=self._kind)
        return self._emit("rescale", compute, *data, *moves.numbers)

    def _part(self, variable: Any, *, whole: bool) -> Any:
        """Return the bytes of a variable, or one pixel if it is the same everywhere."""
        call = self._graph.value(variable)
        scale = scale_of(call) if is_call(call, "quantize") else None
        moves = None if scale is None or whole else byte_moves(self._graph, call.args[0], scale)
        if moves is None or not moves.is_everywhere:
            known = self._as_bytes(variable)
            return None if known is None else known.variable
        if variable not in self._pixels:
            self._pixels[variable] = self._moved(moves.of_one_pixel())
        return self._pixels[variable]

    def _sums(self, product: Product) -> tuple[ByteSums, Any] | None:
        """Return how a product is computed, and its new argument; None if there is no template."""
        quantized = self._graph.value(product.data)
        image = quantized.args[0] if is_call(quantized, "quantize") else None
        pixels = None if image is None else normalised_pixels(image, self._graph.value)
        from_image = pixels is not None or (image in self._floats and image in self._main.params)
        sums = byte_sums(product, self._machine, from_image=from_image)
        if sums is None:
            return None
        if sums.image_padding is not None:
            scale = product.data_scale
            words: tuple[Any, ...]
            if pixels is None:
                numbers = _numbers(1 / scale.step, scale.zero)
                words = (image_words.compute, self._floats[image], numbers)
            else:
                numbers, source = relax.const(to_bytes(pixels, scale)), self._floats[pixels.source]
                words = (image_words.compute_from_pixels, source, numbers, scale.zero)
            facts = (sums.image_padding, sums.products.word, self._kind)
            return sums, self._emit("image_words", *words, *facts)
        data = self._as_bytes(product.data)
        return None if data is None else (sums, data.variable)

    def _to_bytes(self, sums: tuple[ByteSums, Any], product: Product, scale: Scale) -> Any:
        how, data = sums
        limits = _limits(product, scale)
        channels = _channel_numbers(product, scale)

        def compute(data: te.Tensor, weight: te.Tensor, *numbers: te.Tensor) -> te.Tensor:
            own, rest = how.split(numbers)
            total = how.compute(data, weight, *own)
            return requantize.to_bytes(total, *rest, kind=self._kind)

        return self._emit(how.name, compute, data, how.weight, *how.numbers, *channels, *limits)

    def _with_residual(self, residual: Residual, scale: Scale) -> Any:
        call = self._graph.value(residual.product)
        product, own_scale = self._graph.product(call.args[0]), scale_of(call)
        other = self._as_bytes(residual.other)
        sums = None if product is None else self._sums(product)
        if product is None or own_scale is None or other is None or sums is None:
            return None
        how, data = sums
        factors = own_scale.step / scale.step, other.scale.step / scale.step
        moved = scale.zero - own_scale.zero * factors[0] - other.scale.zero * factors[1]
        shares = _numbers(*factors, moved)
        if requantize.MOST * sum(factors) + abs(moved) >= _INT32_END:
            return None
        channels = _channel_numbers(product, own_scale)
        limits = _limits(product, own_scale)

        def compute(
            data: te.Tensor, other: te.Tensor, weight: te.Tensor, *numbers: te.Tensor
        ) -> te.Tensor:
            own, (shares, *rest) = how.split(numbers)
            total = how.compute(data, weight, *own)
            return requantize.to_bytes_with_residual(total, other, shares, *rest, kind=self._kind)

        args = (data, other.variable, how.weight, *how.numbers, shares, *channels, *limits)
        return self._emit(how.name, compute, *args)

    def _pooled(self, mean: Any, scale: Scale) -> Any:
        """Return the mean over all pixels."""
        source = self._graph.bytes_of(mean.args[0])
        data = None if source is None else self._as_bytes(source[0])
        shape = [int(extent) for extent in mean.args[0].ty.shape]
        axes = [int(axis) for axis in mean.attrs.axis or ()]
        if data is None or source is None or len(shape) != _PIXELS or axes != [2, 3]:
            return None
        factor = data.scale.step / (scale.step * shape[2] * shape[3])
        moved = scale.zero - data.scale.zero * data.scale.step / scale.step
        channels = [relax.const(np.full(shape[1], one, np.float32)) for one in (factor, moved)]
        keep = bool(mean.attrs.keepdims)
        is_wide = requantize.MOST * data.scale.step / scale.step + abs(moved) >= _INT32_END
        limits = [_numbers(requantize.LEAST, requantize.MOST)] if is_wide else []

        def compute(data: te.Tensor, *numbers: te.Tensor) -> te.Tensor:
            total = pooling.sums(data, keep=keep)
            return requantize.to_bytes(total, *numbers, kind=self._kind)

        return self._emit("pooling", compute, data.variable, *channels, *limits)

    def _as_floats(self, expr: Any) -> Any:
        """Return an expression of the old graph in the new one, with floating-point numbers."""
        if isinstance(expr, relax.Tuple):
            return relax.Tuple([self._as_floats(field) for field in expr.fields])
        if not isinstance(expr, relax.Var):
            return expr
        if expr not in self._floats:
            value = self._product_as_floats(expr)
            self._floats[expr] = self._builder.emit(self._copy(expr) if value is None else value)
        return self._floats[expr]

    def _copy(self, variable: Any) -> Any:
        """Return what a variable stands for, as it was; bytes are those of the new graph."""
        value = self._graph.value(variable)
        known = self._as_bytes(variable) if is_call(value, "quantize") else None
        if known is not None:
            return _planes(self._of_kind(known.variable, str(variable.ty.dtype)))
        if isinstance(value, relax.Call):
            args = [self._as_floats(arg) for arg in value.args]
            return relax.Call(value.op, args, value.attrs, value.ty_args)
        if isinstance(value, relax.TupleGetItem):
            return relax.TupleGetItem(self._as_floats(value.tuple_value), value.index)
        return self._as_floats(value)

    def _of_kind(self, stored: Any, kind: str) -> Any:
        """Return bytes as the old graph had them, which may have been of the other kind."""
        if kind == self._kind:
            return stored
        return self._builder.emit(self._builder.call_te(of_kind, stored, kind))

    def _product_as_floats(self, variable: Any) -> Any:
        """Return a product of bytes as floating-point numbers; None if it is none."""
        product = self._graph.product(variable)
        sums = None if product is None or product.is_bounded else self._sums(product)
        if product is None or sums is None:
            return None
        how, data = sums
        channels = _channel_numbers(product, Scale(1.0, 0))

        def compute(data: te.Tensor, weight: te.Tensor, *numbers: te.Tensor) -> te.Tensor:
            own, rest = how.split(numbers)
            return requantize.to_floats(how.compute(data, weight, *own), *rest)

        args = (how.weight, *how.numbers, *channels)
        return _planes(self._emit(how.name, compute, data, *args))

    def _emit(self, name: str, compute: Any, *args: Any) -> Any:
        call = self._builder.call_te(
            compute, *args, primfunc_name_hint=name, primfunc_attrs={"op_pattern": _OPAQUE}
        )
        return self._builder.emit(call)


def _channel_numbers(product: Product, scale: Scale) -> list[Any]:
    """Return factor and addend of each output channel, from sums to bytes of a scale."""
    factor = product.data_scale.step * product.steps
    total = product.weight.reshape(len(product.weight), -1).sum(1, dtype=np.int64)
    addend = product.bias - factor * product.data_scale.zero * total
    numbers = factor / scale.step, addend / scale.step + scale.zero
    return [relax.const(one.astype(np.float32)) for one in numbers]


def _limits(product: Product, scale: Scale) -> list[Any]:
    """Return the bounds of a product as bytes; nothing if all are within, and 32 bits suffice."""
    least, most = scale.byte(product.least), scale.byte(product.most)
    if least <= requantize.LEAST and most >= requantize.MOST and not _overflows(product, scale):
        return []
    return [_numbers(max(least, requantize.LEAST), min(most, requantize.MOST))]


def _overflows(product: Product, scale: Scale) -> bool:
    """Whether what is rounded may be no 32-bit integer, before it is cut off."""
    sums = np.abs(product.weight.reshape(len(product.weight), -1)).sum(1, dtype=np.int64)
    largest = product.data_scale.step * product.steps * requantize.MOST * sums
    return bool(((largest + np.abs(product.bias)) / scale.step >= _INT32_END).any())


def _numbers(*values: float) -> Any:
    return relax.const(np.array(values, np.float32))


def _planes(variable: Any) -> Any:
    """Return NHWC data as NCHW; without pixels, as they are."""
    if len(variable.ty.shape) != _PIXELS:
        return variable
    return relax.op.permute_dims(variable, _TO_PLANES)
