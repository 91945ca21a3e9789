"""Note when each kernel of a network is done."""

from typing import Any

import tvm
from tvm import tirx

from mobilebench.schedules.templates.task import kernel_calls

_START, _DONE = "mobilebench_instrumentation_start", "mobilebench_instrumentation_done"


@tvm.transform.module_pass(opt_level=0, name="InstrumentKernels")
class InstrumentKernels:
    """Call `instrumentation.cc` when the network starts and after each kernel, with its number.

    Kernels are numbered in the order in which `main` first calls them. The clock is read inside the
    network, so that a kernel's time is what it takes there, with the caches as they are there.
    """

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Add the calls to all kernels that `main` calls."""
        instrumented = tvm.IRModule(dict(mod.functions_items()), attrs=mod.attrs)
        kernels = kernel_calls(mod["main"])
        for number, name in enumerate(kernels):
            before = [_call(_START, tirx.const(len(kernels), "int32"))] if number == 0 else []
            after = [_call(_DONE, tirx.const(number, "int32"))]
            instrumented.update_func(mod.get_global_var(name), _around(mod[name], before, after))
        return instrumented


def _call(name: str, *args: Any) -> Any:
    return tirx.Evaluate(tirx.call_extern("int32", name, *args))


def _around(function: tirx.PrimFunc, before: list[Any], after: list[Any]) -> tirx.PrimFunc:
    """Return the function with statements before and after all that it does."""
    realize = function.body
    root = realize.block
    body = tirx.SeqStmt([*before, root.body, *after])
    instrumented = type(root)(
        root.iter_vars,
        root.reads,
        root.writes,
        root.name_hint,
        body,
        root.init,
        root.alloc_buffers,
        root.match_buffers,
        root.annotations,
    )
    return function.with_body(type(realize)(realize.iter_values, realize.predicate, instrumented))
