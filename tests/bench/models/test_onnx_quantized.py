"""Quantized ONNX files of other forms than QDQ."""

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from mobilebench.bench.models.onnx_file import read_model
from mobilebench.bench.models.onnx_in_pytorch.network import Network, infer_each, opset_of
from mobilebench.targets.errors import BenchError
from tests.bench.models.own_files import convolution, write

INPUTS = np.random.default_rng(2).standard_normal((2, 3, 16, 16), np.float32)
STEP = np.float32(0.02)


def quantized(values: np.ndarray, step: np.ndarray, kind: type) -> np.ndarray:
    shape = (-1,) + (1,) * (values.ndim - 1)
    return np.round(values / step.reshape(shape)).clip(-127, 127).astype(kind)


def fused(path: Path, *, by_channel: bool, signed: bool, bias: bool) -> Path:
    """Write a QLinearConv and a QLinearMatMul, as ONNX Runtime's QOperator format has them."""
    kind, zero = (np.int8, 3) if signed else (np.uint8, 130)
    kernel = convolution()
    step = np.abs(kernel).max((1, 2, 3)) / 127 if by_channel else np.array([0.01], np.float32)
    linear = np.random.default_rng(3).standard_normal((16, 5)).astype(np.float32)
    weights = {
        "step": STEP,
        "zero": np.array(zero, kind),
        "kernel": quantized(kernel, step, np.int8),
        "kernel_step": step.astype(np.float32),
        "kernel_zero": np.zeros(len(step), np.int8),
        "linear": quantized(linear.T, np.full(5, 0.02), np.int8).T.copy(),
        "linear_step": np.full(5, 0.02, np.float32),
        "linear_zero": np.zeros(5, np.int8),
        "wide_step": np.float32(0.1),
        "bias": np.arange(8, dtype=np.int32) * 100,
    }
    step_of = ["step", "zero"]
    conv = ["q", *step_of, "kernel", "kernel_step", "kernel_zero", "wide_step", "zero"]
    product = ["c", "wide_step", "zero", "linear", "linear_step", "linear_zero", *step_of]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", *step_of], ["q"]),
        helper.make_node("QLinearConv", conv + ["bias"] * bias, ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("QLinearMatMul", product, ["m"]),
        helper.make_node("DequantizeLinear", ["m", *step_of], ["out"]),
    ]
    return write(path / "fused.onnx", nodes, weights, opset=13)


@pytest.mark.parametrize("by_channel", [False, True])
@pytest.mark.parametrize(("signed", "bias"), [(False, True), (True, False)])
def test_operators_on_whole_numbers_compute_what_onnx_runtime_computes(
    by_channel: bool, signed: bool, bias: bool, tmp_path: Path
) -> None:
    import torch

    path = fused(tmp_path, by_channel=by_channel, signed=signed, bias=bias)
    model, _ = read_model(path)
    assert not {"QLinearConv", "QLinearMatMul"} & {node.op_type for node in model.graph.node}
    (found,) = infer_each(Network(model.graph, opset_of(model), torch.float64), INPUTS)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    expected = np.concatenate([session.run(None, {"x": one[None]})[0] for one in INPUTS])
    # A sum at a half may be rounded otherwise, by one step.
    assert np.abs(found - expected).max() <= STEP * 1.01
    assert (found != expected).mean() < 0.01


@pytest.mark.parametrize("kind", ["int4", "uint4", "float8_e4m3fn", "blocks"])
def test_weights_of_which_runtimes_have_no_form_become_float32(kind: str, tmp_path: Path) -> None:
    import torch

    step: np.ndarray | np.float32 = np.float32(0.25)
    stored, extra = np.round(convolution() * 4).clip(0, 7), {}
    if kind == "blocks":
        stored, extra = stored.astype(np.int8), {"axis": 0, "block_size": 4}
        step = np.arange(1, 1 + 2 * 27, dtype=np.float32).reshape(2, 3, 3, 3) / 64
    else:
        stored = stored.astype(getattr(ml_dtypes, kind))
    nodes = [
        helper.make_node("DequantizeLinear", ["kernel", "step"], ["k"], **extra),
        helper.make_node("Conv", ["x", "k"], ["out"], pads=[1, 1, 1, 1]),
    ]
    path = write(tmp_path / "net.onnx", nodes, {"kernel": stored, "step": step}, opset=21)
    model, _ = read_model(path)
    (found,) = infer_each(Network(model.graph, opset_of(model), torch.float64), INPUTS)
    times = np.repeat(step, 4, 0) if kind == "blocks" else step
    kernel = torch.from_numpy(stored.astype(np.float64) * times)
    expected = torch.conv2d(torch.from_numpy(INPUTS.astype(np.float64)), kernel, padding=1)
    assert np.allclose(found, expected.numpy(), atol=1e-5)


def test_ways_to_quantize_that_are_not_to_be_had_are_refused_by_name(tmp_path: Path) -> None:
    zero = np.zeros((), ml_dtypes.float8_e4m3fn)
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "step", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "step", "zero"], ["out"]),
    ]
    path = write(tmp_path / "net.onnx", nodes, {"step": STEP, "zero": zero}, opset=19)
    with pytest.raises(BenchError, match="its activations are rounded to float8e4m3fn; quantize"):
        read_model(path)
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "step", "zero"]),
        helper.make_node("ConvInteger", ["q", "kernel", "zero"], ["c"]),
        helper.make_node("Cast", ["c"], ["out"], to=TensorProto.FLOAT),
    ]
    path = write(tmp_path / "net.onnx", nodes, {"kernel": np.ones((4, 3, 3, 3), np.uint8)})
    with pytest.raises(BenchError, match="ConvInteger is of a network that is quantized anew"):
        read_model(path)
    node = helper.make_node("QLinearAdd", ["x", "x"], ["out"], domain="com.microsoft")
    model = onnx.load(write(tmp_path / "net.onnx", [node], {}))
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    onnx.save(model, path)
    with pytest.raises(
        BenchError, match=r"com\.microsoft\.QLinearAdd is ONNX Runtime's own; quant"
    ):
        read_model(path)
