"""Store weights and activations in half precision."""

from typing import Any

import numpy as np
import tvm
from tvm import relax, tirx

from mobilebench.schedules.ir.kernel_sequence import is_constant, kernel_sequence_of, return_value
from mobilebench.schedules.operators import half
from mobilebench.targets.errors import BenchError

_LARGE = 2  # dimensions longer than 1: weights have more, biases one


@tvm.transform.module_pass(opt_level=0, name="StoreHalf")
class StoreHalf:
    """Have kernels read and write half-precision floats, and compute in float32 as before.

    The network's input and output stay float32, and so do biases, which are small. Half the bytes
    are moved, which is what most kernels wait for; sums lose nothing. Runs on fused kernels: what
    converts is fused into each.
    """

    def transform_module(self, mod: tvm.IRModule, _context: Any) -> tvm.IRModule:
        """Rewrite `main` and its kernels; raises BenchError if it is no sequence of kernels."""
        steps = kernel_sequence_of(mod["main"])
        if steps is None:
            raise BenchError("float16: the network is no plain sequence of kernels; use float32")
        kernels = {n: f for n, f in mod.functions_items() if isinstance(f, tirx.PrimFunc)}
        builder = relax.BlockBuilder(tvm.IRModule(kernels))
        converted: dict[Any, Any] = {}  # by kernel, and which of its tensors are half
        calls: dict[Any, tuple[Any, list[Any]]] = {}
        for variable, call in steps.calls.items():
            args = [_stored(arg) if is_constant(arg) else arg for arg in call.args[1]]
            halves = tuple(arg in steps.calls or str(arg.ty.dtype) == half.STORED for arg in args)
            key = (call.args[0], halves, steps.is_output(variable))
            if key not in converted:
                converted[key] = _convert(builder, call, halves, is_output=key[-1])
            calls[variable] = converted[key], args
        image = mod["main"].params[0]
        values = {image: relax.Var(image.name, image.ty)}
        with builder.function("main", [values[image]], attrs=dict(mod["main"].attrs)):
            with builder.dataflow():
                for variable, (kernel, args) in calls.items():
                    own = [arg if is_constant(arg) else values[arg] for arg in args]
                    values[variable] = builder.emit(relax.Call(kernel, own))
                outputs = [values[output] for output in steps.outputs]
                result = builder.emit_output(return_value(outputs))
            builder.emit_func_output(result)
        fused = relax.transform.FuseTIR()(builder.get())
        return relax.transform.DeadCodeElimination()(fused)


def _stored(constant: Any) -> Any:
    """Return a constant as it is stored."""
    values = constant.value.numpy()
    if np.count_nonzero(np.array(values.shape) > 1) < _LARGE:
        return constant
    return relax.const(values.astype(half.STORED))


def _convert(
    builder: relax.BlockBuilder, call: relax.Call, halves: tuple[bool, ...], is_output: bool
) -> Any:
    """Add a function of the kernel between conversions, which FuseTIR makes one kernel of."""
    kernel, args = call.args
    types = [
        relax.TensorType(arg.ty.shape, half.STORED) if stored else arg.ty
        for arg, stored in zip(args, halves, strict=True)
    ]
    params = [relax.Var(f"argument{number}", one) for number, one in enumerate(types)]
    attributes = {"Primitive": True}
    with builder.function(f"half_{kernel.name_hint}", params, attrs=attributes, private=True):
        with builder.dataflow():
            read = [
                builder.emit_te(half.read, param, number) if stored else param
                for number, (param, stored) in enumerate(zip(params, halves, strict=True))
            ]
            kernel = builder.get().get_global_var(kernel.name_hint)
            output = builder.emit(relax.call_tir(kernel, read, out_ty=call.ty_args[0]))
            if not is_output:
                output = builder.emit_te(half.write, output)
            result = builder.emit_output(output)
        return builder.emit_func_output(result)
