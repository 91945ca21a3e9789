# pyright: reportInvalidTypeForm=false
# TVMScript writes types as calls.

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.schedules.passes.run_pass import run_pass


def clip_graph(low: float | None, high: float | None) -> Any:
    """Return the imported module of `Clip(x, low, high)` over a matrix."""
    from tvm.relax.frontend.onnx import from_onnx

    bounds = {"low": low, "high": high}
    given = [
        numpy_helper.from_array(np.array(value, np.float32), name)
        for name, value in bounds.items()
        if value is not None
    ]
    names = [name if value is not None else "" for name, value in bounds.items()]
    shape = [4, 5]
    graph = helper.make_graph(
        [helper.make_node("Clip", ["x", *names], ["y"])],
        "clip",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        given,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    return from_onnx(model, keep_params_in_input=False)


def run(module: Any, *inputs: Any) -> np.ndarray:
    import tvm
    from tvm.runtime import vm

    built = tvm.compile(module, target="llvm")
    tensors = [tvm.runtime.tensor(np.asarray(one)) for one in inputs]
    result: np.ndarray = vm.VirtualMachine(built, tvm.cpu())["main"](*tensors).numpy()
    return result


def operators(module: Any) -> set[str]:
    from tvm import relax

    found = set()

    def visit(expression: Any) -> None:
        if isinstance(expression, relax.Call):
            found.add(getattr(expression.op, "name", ""))

    relax.analysis.post_order_visit(module["main"], visit)
    return found


@pytest.mark.parametrize(("low", "high"), [(0.0, 6.0), (-1.5, 2.5), (0.0, None), (None, 6.0)])
def test_clip_becomes_maximum_and_minimum(low: float | None, high: float | None) -> None:
    from mobilebench.schedules.passes.canonicalize_relu6 import CanonicalizeReLU6

    module = run_pass(CanonicalizeReLU6(), clip_graph(low, high))
    x = np.random.default_rng(0).normal(0, 5, (4, 5)).astype(np.float32)
    assert operators(module) <= {"relax.maximum", "relax.minimum"}
    np.testing.assert_array_equal(run(module, x), np.clip(x, low, high))


def test_clip_between_tensors_is_left_alone() -> None:
    from tvm.relax.frontend.onnx import from_onnx

    from mobilebench.schedules.passes.canonicalize_relu6 import CanonicalizeReLU6

    kinds = {"x": [4, 5], "low": [], "high": []}
    graph = helper.make_graph(
        [helper.make_node("Clip", ["x", "low", "high"], ["y"])],
        "clip",
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in kinds.items()],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4, 5])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    module = run_pass(CanonicalizeReLU6(), from_onnx(model, keep_params_in_input=False))
    x = np.random.default_rng(0).normal(0, 5, (4, 5)).astype(np.float32)
    low, high = np.float32(-1.5), np.float32(2.5)
    assert not operators(module) & {"relax.maximum", "relax.minimum"}
    np.testing.assert_array_equal(run(module, x, low, high), np.clip(x, low, high))


def test_a_kernel_that_does_more_than_bound_is_left_alone() -> None:
    from tvm import relax, te, tirx

    from mobilebench.schedules.passes.canonicalize_relu6 import CanonicalizeReLU6

    def bound_of_the_double(data: Any, low: Any) -> Any:
        return te.compute(data.shape, lambda i, j: tirx.max(data[i, j] * tirx.const(2.0), low()))

    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((4, 5), "float32"))
    with builder.function("main", [x]):
        with builder.dataflow():
            low = relax.const(np.float32(0))
            result = builder.emit_output(builder.call_te(bound_of_the_double, x, low))
        builder.emit_func_output(result)
    module = run_pass(CanonicalizeReLU6(), builder.finalize())
    values = np.random.default_rng(0).normal(0, 5, (4, 5)).astype(np.float32)
    np.testing.assert_array_equal(run(module, values), np.maximum(2 * values, 0))


def test_other_kernels_are_left_alone() -> None:
    import tvm
    from tvm.script import ir as I
    from tvm.script import relax as R

    from mobilebench.schedules.passes.canonicalize_relu6 import CanonicalizeReLU6

    @I.ir_module
    class Module:
        @R.function
        def main(x: R.Tensor((4, 5), "float32")) -> R.Tensor((4, 5), "float32"):
            with R.dataflow():
                y = R.add(R.exp(x), x)
                R.output(y)
            return y

    module = tvm.relax.transform.LegalizeOps()(Module)
    tvm.ir.assert_structural_equal(run_pass(CanonicalizeReLU6(), module), module)
