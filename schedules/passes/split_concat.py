"""Take apart the pointwise convolution of joined channels."""

from typing import Any

import tvm
from tvm import relax
from tvm.ir import GenericConst, Op
from tvm.relax.expr_functor import PyExprMutator, mutator

from mobilebench.schedules.ir.rewrite import rewrite_functions

_CHANNELS = 1  # the axis, in NCHW
_EVERYWHERE = ("relax.broadcast_to", "relax.image.resize2d")  # what makes many pixels of one


@tvm.transform.module_pass(opt_level=0, name="SplitConcat")
class SplitConcat:
    """Replace the 1x1 convolution of a concatenation by the sum of one for each part.

    The joined tensor is never written, and each part may be forgotten sooner. A part that is the
    same at every pixel (DeepLab's image pooling) is convolved for one, and what comes out is added
    everywhere: a fifth of the multiply-adds of the layer that joins five branches. Runs on NCHW,
    where ConvertLayout still finds plain operators.
    """

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite every relax function."""
        return rewrite_functions(mod, _Splitter(mod))


@mutator
class _Splitter(PyExprMutator):
    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        if call.op != Op.get("relax.nn.conv2d"):
            return call
        data, weight = call.args
        parts = self._parts(data)
        if parts is None or not _is_plain_pointwise(call) or not isinstance(weight, GenericConst):
            return call
        values = weight.value.numpy()
        begin, pieces = 0, []
        for part in parts:
            end = begin + int(part.ty.shape[_CHANNELS])
            pieces.append((self._pixel(part), relax.const(values[:, begin:end].copy())))
            begin = end
        # What is the same everywhere comes last: FuseOps joins the sums with the product that comes
        # first, which must be one for all pixels.
        pieces.sort(key=lambda one: int(one[0].ty.shape[2]) == 1)
        total = relax.op.nn.conv2d(*pieces[0])
        for piece in pieces[1:]:
            total = self.builder_.emit(total)
            total = relax.op.add(total, self.builder_.emit(relax.op.nn.conv2d(*piece)))
        return total

    def _parts(self, data: Any) -> list[Any] | None:
        joined = self.lookup_binding(data) if isinstance(data, relax.Var) else data
        if not isinstance(joined, relax.Call) or joined.op != Op.get("relax.concat"):
            return None
        parts = joined.args[0]
        if isinstance(parts, relax.Var):
            parts = self.lookup_binding(parts)
        if not isinstance(parts, relax.Tuple) or joined.attrs.axis != _CHANNELS:
            return None
        return list(parts.fields)

    def _pixel(self, part: Any) -> Any:
        """Return the one pixel of what is the same everywhere; anything else as it is."""
        bound = self.lookup_binding(part) if isinstance(part, relax.Var) else part
        if isinstance(bound, relax.Call) and bound.op in map(Op.get, _EVERYWHERE):
            source = bound.args[0]
            shape = [int(size) for size in source.ty.shape]
            if len(shape) == 4 and shape[2:] == [1, 1]:
                return source
        return part


def _is_plain_pointwise(call: Any) -> bool:
    attrs, taps = call.attrs, list(call.args[1].ty.shape)[2:]
    ones = [*taps, *attrs.strides, attrs.groups]
    return all(int(one) == 1 for one in ones) and not any(int(one) for one in attrs.padding)
