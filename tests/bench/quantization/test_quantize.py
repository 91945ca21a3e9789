import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from mobilebench.bench.cache import file_sha256
from mobilebench.bench.models.onnx_export import OnnxModel
from mobilebench.bench.models.outputs import seeded_inputs
from mobilebench.bench.models.variant import CLASSIFY, DETECT, SEGMENT, parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.bench.quantization.calibration import Calibration
from mobilebench.bench.quantization.quantize import quantize, write_quantized
from mobilebench.bench.quantization.ranges import is_averaged, observe_ranges
from mobilebench.bench.quantization.reference import infer
from mobilebench.bench.runtimes.saturation import saturates_here
from mobilebench.targets.errors import BenchError

TINY = parse_variant("mobilenet_v2_0.35_32")


def constants(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    return {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}


def test_weights_activations_and_biases_have_their_types(quantized: OnnxModel) -> None:
    graph = onnx.load(quantized.onnx_path).graph
    values = constants(graph)
    dequantized = {n.output[0]: n for n in graph.node if n.op_type == "DequantizeLinear"}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert len(convolutions) == 52
    for node in convolutions:
        data, weight, bias = (dequantized[name] for name in node.input)
        steps, zeros = values[weight.input[1]], values[weight.input[2]]
        assert values[weight.input[0]].dtype == np.int8
        assert steps.size == len(values[weight.input[0]])
        assert not zeros.any()
        assert values[data.input[1]].size == 1
        assert values[data.input[2]].dtype == np.uint8
        assert values[bias.input[0]].dtype == np.int32
        expected = values[data.input[1]] * steps
        assert np.allclose(values[bias.input[1]], expected, rtol=1e-5)


@pytest.mark.parametrize(("averaged", "largest"), [(True, 4.0), (False, 6.0)])
def test_ranges_are_means_of_images_or_those_of_all(
    quantized: OnnxModel, tmp_path: Path, averaged: bool, largest: float
) -> None:
    assert quantized.quantization
    image = np.zeros((1, 3, 32, 32), np.float32)
    named = [("one", image + 2), ("other", image + 6)]
    model = quantized.quantization.float_onnx_path
    path = observe_ranges(model, "net", named, tmp_path, averaged=averaged)
    ranges = json.loads(path.read_text())["data"]
    assert ranges["input"]["highest"]["data"] == [largest]


def test_only_segmenters_have_the_ranges_of_all_images() -> None:
    assert [is_averaged(task) for task in (CLASSIFY, DETECT, SEGMENT)] == [True, True, False]


def test_outputs_are_not_rounded_to_steps(quantized: OnnxModel) -> None:
    graph = onnx.load(quantized.onnx_path).graph
    makers = {node.output[0]: node.op_type for node in graph.node}
    assert [makers[one.name] for one in graph.output] == ["Gemm"]


def test_the_reference_is_near_the_float32_network(quantized: OnnxModel) -> None:
    assert quantized.quantization is not None
    assert 0 < quantized.quantization.relative_l2_error < 0.2
    inputs, expected = quantized.reference()
    assert np.array_equal(infer(quantized.onnx_path, inputs)[0], expected[0])


@pytest.mark.skipif(saturates_here(), reason="products of bytes saturate on this CPU")
def test_onnx_runtime_computes_what_the_reference_does(quantized: OnnxModel) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(quantized.onnx_path)
    inputs, (expected,) = quantized.reference()
    found = np.concatenate([session.run(None, {"input": one[None]})[0] for one in inputs])
    assert np.linalg.norm(found - expected) < 0.05 * np.linalg.norm(expected)


def broken(model: OnnxModel, path: Path, number: float) -> OnnxModel:
    """Return the network with a number in one of its biases."""
    assert model.quantization is not None
    proto = onnx.load(model.quantization.float_onnx_path)
    convolution = next(node for node in proto.graph.node if node.op_type == "Conv")
    bias = next(one for one in proto.graph.initializer if one.name == convolution.input[2])
    values = onnx.numpy_helper.to_array(bias).copy()
    values[0] = number
    bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
    onnx.save(proto, path)
    return replace(model, onnx_path=path, onnx_sha256=file_sha256(path))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_layer_without_a_finite_range_is_named(
    quantized: OnnxModel, tmp_path: Path, number: float
) -> None:
    model = broken(quantized, tmp_path / "broken.onnx", number)
    pixels = Weights().preprocessing(TINY)
    with pytest.raises(BenchError, match=r"layer .* puts out .* in calibration for seeded input 0"):
        quantize(model, TINY, pixels, Calibration(), tmp_path)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_an_image_with_values_that_are_not_finite_is_named(
    quantized: OnnxModel, tmp_path: Path, number: float
) -> None:
    assert quantized.quantization is not None
    images = seeded_inputs(TINY.input_shape, 3, 4)[:, None].astype(np.float32)
    images[2, 0, 0, 5, 5] = number  # of the others there is a mean
    named = [(f"image {place}.png", one) for place, one in enumerate(images)]
    with pytest.raises(BenchError, match=r"net: layer .* puts out .* for image 2\.png") as refusal:
        observe_ranges(quantized.quantization.float_onnx_path, "net", named, tmp_path)
    assert "\n" not in str(refusal.value)


def test_a_quantized_network_is_found_again(
    quantized: OnnxModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert quantized.quantization is not None
    path = quantized.quantization.float_onnx_path
    exported = replace(quantized, onnx_path=path, onnx_sha256=file_sha256(path))
    monkeypatch.setattr("onnxruntime.quantization.quantize_static", None)
    cache = quantized.onnx_path.parents[2]
    again = quantize(exported, TINY, Weights().preprocessing(TINY), Calibration(), cache)
    assert again.onnx_sha256 == quantized.onnx_sha256


def test_weights_of_7_bits_do_not_saturate(quantized: OnnxModel, tmp_path: Path) -> None:
    """ONNX Runtime computes what the same graph is in PyTorch, on any CPU."""
    import onnxruntime

    assert quantized.quantization is not None
    inputs, _ = quantized.reference()
    named = [(f"image {number}", one[None]) for number, one in enumerate(inputs)]
    path = tmp_path / "narrow.onnx"
    float_path = quantized.quantization.float_onnx_path
    write_quantized(float_path, quantized.name, named, path, narrow_weights=True)
    weights = [onnx.numpy_helper.to_array(one) for one in onnx.load(path).graph.initializer]
    assert max(np.abs(one.astype(int)).max() for one in weights if one.dtype == np.int8) <= 64
    session = onnxruntime.InferenceSession(path)
    found = np.concatenate([session.run(None, {"input": one[None]})[0] for one in inputs])
    (expected,) = infer(path, inputs)
    assert np.linalg.norm(found - expected) < 0.05 * np.linalg.norm(expected)
