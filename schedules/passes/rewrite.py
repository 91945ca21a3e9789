"""The step that passes over relax functions share."""

from typing import Any

import tvm
from tvm import relax


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
