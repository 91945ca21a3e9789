"""Make one kernel of the whole network."""

from typing import Any

import tvm
from tvm import relax, tirx

from mobilebench.schedules.ir.kernel_sequence import (
    KernelSequence,
    is_constant,
    kernel_sequence_of,
    return_value,
)

NETWORK = "network"
KERNELS = "mobilebench.kernels"  # attribute: how many kernels were merged


@tvm.transform.module_pass(opt_level=0, name="MergeKernels")
class MergeKernels:
    """Call one kernel where `main` called many, in the same order.

    Each call costs the virtual machine half a microsecond: finding a place for the output, checking
    every argument, dropping what is not needed any more. That is a sixth of the smallest variant's
    time. A `main` that is not a plain sequence of kernels is left alone.
    """

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main`."""
        steps = kernel_sequence_of(mod["main"])
        if steps is None:
            return mod
        image = mod["main"].params[0]
        merged = tvm.IRModule(
            {name: f for name, f in mod.functions_items() if isinstance(f, tirx.PrimFunc)}
        )
        builder = relax.BlockBuilder(merged)
        weights = [arg for call in steps.calls.values() for arg in call.args[1] if is_constant(arg)]
        inner = [relax.Var(f"weight{index}", one.ty) for index, one in enumerate(weights)]
        self._write_network(builder, steps, image, inner)
        outer = relax.Var(image.name, image.ty)
        with builder.function("main", [outer], attrs=dict(mod["main"].attrs)):
            with builder.dataflow():
                network = builder.get().get_global_var(NETWORK)
                result = builder.emit_output(relax.Call(network, [outer, *weights]))
            builder.emit_func_output(result)
        fused = relax.transform.FuseTIR()(builder.get())
        fused = relax.transform.DeadCodeElimination()(fused)
        network = fused.get_global_var(NETWORK)
        fused.update_func(network, fused[network].with_attr(KERNELS, _count(steps)))
        return fused

    def _write_network(
        self,
        builder: relax.BlockBuilder,
        steps: KernelSequence,
        image: relax.Var,
        inner: list[relax.Var],
    ) -> None:
        """Add the function that FuseTIR turns into one kernel."""
        data = relax.Var(image.name, image.ty)
        values = {image: data}
        unused = iter(inner)
        attributes = {"Primitive": True}
        with builder.function(NETWORK, [data, *inner], attrs=attributes, private=True):
            with builder.dataflow():
                for variable, call in steps.calls.items():
                    args = [next(unused) if is_constant(a) else values[a] for a in call.args[1]]
                    kernel = builder.get().get_global_var(call.args[0].name_hint)
                    step = relax.call_tir(kernel, args, out_ty=variable.ty)
                    values[variable] = builder.emit(step)
                outputs = [values[output] for output in steps.outputs]
                result = builder.emit_output(return_value(outputs))
            builder.emit_func_output(result)


def _count(steps: KernelSequence) -> int:
    return len({call.args[0].name_hint for call in steps.calls.values()})
