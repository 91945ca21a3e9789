"""Reshape, transpose and convert weights at compile time."""

from typing import Any

import tvm
from tvm import relax
from tvm.ir import GenericConst, Op
from tvm.relax.expr_functor import PyExprMutator, mutator

from mobilebench.schedules.ir.rewrite import rewrite_functions


@tvm.transform.module_pass(opt_level=0, name="FoldLayout")
class FoldLayout:
    """Replace `permute_dims`, `reshape` and `astype` of a constant by the constant so made.

    A permutation that leaves all axes where they are is dropped: what PyTorch's `permute` has
    become where the layout is what it asked for. Of two in a row one is left, or none.

    ConvertLayout leaves one in front of every weight and bias. TVM's FoldConstant does the same by
    compiling and running a kernel for each, which takes four seconds for MobileNetV2; numpy takes
    milliseconds.
    """

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite every relax function."""
        return rewrite_functions(mod, _Folder(mod))


@mutator
class _Folder(PyExprMutator):
    def visit_call_(self, call: Any) -> Any:
        call = self.visit_expr_post_order(call)
        if call.op == Op.get("relax.astype"):
            return self._converted(call)
        if call.op not in (Op.get("relax.permute_dims"), Op.get("relax.reshape")):
            return call
        if call.op == Op.get("relax.permute_dims") and _axes(call) is not None:
            call = self._joined(call)
            if _axes(call) == sorted(_axes(call) or ()):
                return call.args[0]
        constant = self._bound(call.args[0])
        if not isinstance(constant, GenericConst):
            return call
        values = constant.value.numpy()
        if call.op == Op.get("relax.reshape"):
            return relax.const(values.reshape([int(size) for size in call.ty.shape]))
        axes = None if call.attrs.axes is None else [int(axis) for axis in call.attrs.axes]
        # relax.const copies, so the transposed view becomes contiguous there.
        return relax.const(values.transpose(axes))

    def _converted(self, call: Any) -> Any:
        """Return a constant as the kind of numbers that it is converted to."""
        constant = self._bound(call.args[0])
        if not isinstance(constant, GenericConst):
            return call
        return relax.const(constant.value.numpy().astype(str(call.attrs.dtype)))

    def _joined(self, permute: Any) -> Any:
        """Return one permutation in place of two."""
        inner = self._bound(permute.args[0])
        first, second = _axes(permute), None
        if isinstance(inner, relax.Call) and inner.op == Op.get("relax.permute_dims"):
            second = _axes(inner)
        if first is None or second is None:
            return permute
        return relax.op.permute_dims(inner.args[0], [second[axis] for axis in first])

    def _bound(self, expr: Any) -> Any:
        return self.lookup_binding(expr) if isinstance(expr, relax.Var) else expr


def _axes(permute: Any) -> list[int] | None:
    """Return where each axis comes from; None where that is left to TVM."""
    axes = permute.attrs.axes
    return None if axes is None else [int(axis) for axis in axes]
