"""The steps that passes over relax functions and those over kernels share."""

from collections.abc import Callable
from typing import Any

import tvm
import tvm_ffi
from tvm import relax, tirx
from tvm.ir.expr import TensorLoad


def rewrite_functions(mod: tvm.IRModule, mutator: Any) -> tvm.IRModule:
    """Return the module with every relax function rewritten by a mutator that was made for it.

    What the rewriting leaves without users is dropped.
    """
    for name, function in mod.functions_items():
        if isinstance(function, relax.Function):
            rewritten = relax.analysis.remove_all_unused(mutator.visit_expr(function))
            mutator.builder_.update_func(name, rewritten)
    rewritten_module: tvm.IRModule = mutator.builder_.get()
    return rewritten_module


def rewrite_kernels(mod: tvm.IRModule, kind: Any, change: Callable[[Any], Any]) -> tvm.IRModule:
    """Return the module with every node of a kind in its kernels changed."""
    rewritten = tvm.IRModule(dict(mod.functions_items()), attrs=mod.attrs)
    for name, function in mod.functions_items():
        if isinstance(function, tirx.PrimFunc):
            body = tvm_ffi.structural_map(function.body, (kind, change))
            rewritten.update_func(name, function.with_body(body))
    return rewritten


def redirect(statement: Any, to: Callable[[Any, Any], tuple[Any, Any] | None]) -> Any:
    """Return a statement in which some tensors' elements are read and written elsewhere.

    `to` returns, of a tensor and indices, the tensor and indices instead; None leaves them.
    """

    def load(node: Any) -> Any:
        found = to(node.source, node.indices)
        return node if found is None else found[0][tuple(found[1])]

    def store(node: Any) -> Any:
        found = to(node.buffer, node.indices)
        return node if found is None else tirx.BufferStore(found[0], node.value, found[1])

    return tvm_ffi.structural_map(statement, [(TensorLoad, load), (tirx.BufferStore, store)])
