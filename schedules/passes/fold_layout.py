"""Reshape and transpose weights at compile time."""

from typing import Any

import tvm
from tvm import relax
from tvm.ir import GenericConst, Op
from tvm.relax.expr_functor import PyExprMutator, mutator

from mobilebench.schedules.ir.rewrite import rewrite_functions


@tvm.transform.module_pass(opt_level=0, name="FoldLayout")
class FoldLayout:
    """Replace `permute_dims` and `reshape` of a constant by the constant so laid out.

    A permutation that leaves all axes where they are is dropped: what PyTorch's `permute` has
    become where the layout is what it asked for.

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
        if call.op not in (Op.get("relax.permute_dims"), Op.get("relax.reshape")):
            return call
        if call.op == Op.get("relax.permute_dims") and _is_identity(call):
            return call.args[0]
        constant = call.args[0]
        if isinstance(constant, relax.Var):
            constant = self.lookup_binding(constant)
        if not isinstance(constant, GenericConst):
            return call
        values = constant.value.numpy()
        if call.op == Op.get("relax.reshape"):
            return relax.const(values.reshape([int(size) for size in call.ty.shape]))
        axes = None if call.attrs.axes is None else [int(axis) for axis in call.attrs.axes]
        # relax.const copies, so the transposed view becomes contiguous there.
        return relax.const(values.transpose(axes))


def _is_identity(permute: Any) -> bool:
    axes = permute.attrs.axes
    return axes is not None and [int(axis) for axis in axes] == list(range(len(axes)))
