"""Operators of our own inside kernels, which stay what they are until code is generated."""

from collections.abc import Callable
from typing import Any

import tvm
from tvm.ir import Op, register_op_attr
from tvm.tirx.op import register_intrin_lowering

_PURE = 1  # TVM's CallEffectKind


def pure_operator(name: str, lower: Callable[[Any], Any] | None = None) -> str:
    """Make an operator without side effects known to TVM, scalar or vector; returns its full name.

    `lower` returns what LLVM is to compute for a call; none for operators that a pass replaces.
    """
    full_name = f"tirx.{name}"
    if full_name not in Op.list_op_names():
        tvm.get_global_func("ir.RegisterOp")(full_name, name)
        register_op_attr(full_name, "TCallEffectKind", _PURE)
        register_op_attr(full_name, "TVectorizable", True)
        register_op_attr(full_name, "TScriptPrinterName", name)
    if lower:
        register_intrin_lowering(full_name, "llvm", f=lower, level=99)
    return full_name


def lanes_of(call: Any) -> int:
    """Return how many lanes the result of a call has."""
    return int(tvm.DataType(str(call.ty.dtype)).lanes)


def vector(kind: str, lanes: int) -> str:
    """Return the name of a vector's type, or of a scalar's."""
    return kind if lanes == 1 else f"{kind}x{lanes}"
