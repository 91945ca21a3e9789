from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobilebench.bench.measure.fidelity import TOLERANCE, compare
from mobilebench.bench.models.onnx_export import OnnxModel, to_onnx
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.targets.catalog.target import find_target
from mobilebench.targets.catalog.tvm_target import resolve
from tests.schedules.passes.run_pass import run_pass


@pytest.fixture(scope="module")
def exported(cache_dir: Path) -> OnnxModel:
    """Return a small network."""
    return to_onnx(parse_variant("mobilenet_v2_0.35_32_t1"), Weights(), cache_dir)


@pytest.fixture(scope="module")
def half(exported: OnnxModel) -> Any:
    """Return its fused module, stored in half precision."""
    return fused(exported, "float16")


def fused(exported: OnnxModel, precision: str) -> Any:
    import onnx
    import tvm
    from tvm.relax.frontend.onnx import from_onnx

    from mobilebench.schedules import pipeline

    target = find_target("opencl")
    module = from_onnx(onnx.load(exported.onnx_path), keep_params_in_input=False)
    return pipeline.fuse(module, target, tvm.target.Target(resolve(target)), precision)


def infer(module: Any, inputs: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return what a fused module computes, by loops that nobody has scheduled."""
    import tvm
    from tvm.runtime import vm

    machine = vm.VirtualMachine(tvm.compile(module, target="llvm"), tvm.cpu())
    (one,) = inputs
    outputs = machine["main"](tvm.runtime.tensor(one[None]))
    several = outputs if hasattr(outputs, "__len__") else (outputs,)
    return tuple(output.numpy() for output in several)


def test_float16_network_is_close_to_pytorch(exported: OnnxModel, half: Any) -> None:
    inputs, _ = exported.reference()
    whole, halved = (infer(one, inputs[:1]) for one in (fused(exported, "float32"), half))
    assert 1e-5 < compare(halved, whole).relative_l2_error < TOLERANCE["float16"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ssdlite_mobilenet_v2_0.1_32", "deeplabv3_mobilenet_v2_0.1_33"])
def test_float16_detectors_and_segmenters_are_close_to_pytorch(cache_dir: Path, name: str) -> None:
    exported = to_onnx(parse_variant(name), Weights(), cache_dir)
    inputs, _ = exported.reference()
    whole, halved = (infer(fused(exported, one), inputs[:1]) for one in ("float32", "float16"))
    assert all(str(output.dtype) == "float32" for output in halved)
    assert 1e-5 < compare(halved, whole).relative_l2_error < TOLERANCE["float16"]


def test_weights_and_activations_are_float16_but_not_biases_input_and_output(half: Any) -> None:
    from mobilebench.schedules.ir.kernel_sequence import is_constant, kernel_sequence_of

    main = half["main"]
    assert str(main.params[0].ty.dtype) == str(main.ret_ty.dtype) == "float32"
    steps = kernel_sequence_of(main)
    assert steps is not None
    *inner, last = steps.calls.items()
    assert {str(variable.ty.dtype) for variable, _ in inner} == {"float16"}
    constants = [arg for _, call in (*inner, last) for arg in call.args[1] if is_constant(arg)]
    large = [np.count_nonzero(np.array(one.value.shape) > 1) > 1 for one in constants]
    kinds = {
        (is_large, str(one.value.dtype)) for is_large, one in zip(large, constants, strict=True)
    }
    assert kinds == {(True, "float16"), (False, "float32")}


def test_float16_is_refused_for_a_network_with_two_inputs(two_inputs: Any) -> None:
    from tvm import relax

    from mobilebench.schedules.passes.store_half import StoreHalf

    # On its way through TVM the error keeps its text alone.
    with pytest.raises(Exception, match="float16: the network is no plain sequence") as refusal:
        run_pass(StoreHalf(), relax.transform.LegalizeOps()(two_inputs))
    assert len(str(refusal.value).splitlines()) == 1
