"""Right kernels agree with the reference in every layer; every usual fault is found in one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from mobilebench.bench.models.onnx_export import OnnxModel
from mobilebench.bench.models.onnx_in_pytorch.network import OPERATORS, OnNode
from mobilebench.bench.models.outputs import Floats
from mobilebench.bench.quantization import reference
from mobilebench.bench.quantization.agreement import (
    Agreement,
    compare_layers,
    compare_steps,
    first_disagreement,
    watch_layers,
    watched_model,
)

Operator = Callable[[list[Any], dict[str, Any]], Any]
RIGHT = dict(OPERATORS)


@pytest.fixture(scope="session")
def watched(quantized: OnnxModel, tmp_path_factory: pytest.TempPathFactory) -> onnx.GraphProto:
    path = tmp_path_factory.mktemp("watched") / "watched.onnx"
    assert len(watch_layers(quantized.onnx_path, path)) > 50
    onnx.checker.check_model(str(path), full_check=True)
    return onnx.load(path).graph


def layers(
    quantized: OnnxModel,
    graph: onnx.GraphProto,
    on_node: OnNode | None = None,
    kind: Any = torch.float64,
) -> list[Agreement]:
    """Compute an image in another way, and compare its layers with the reference's."""
    image = quantized.reference()[0][:1]
    values = reference.run_graph(graph, image, kind, on_node)
    computed = dict(zip((one.name for one in graph.output), values, strict=True))
    with pytest.MonkeyPatch.context() as patch:
        for name, operator in RIGHT.items():
            patch.setitem(OPERATORS, name, operator)
        return compare_layers(quantized.onnx_path, image, computed)


def test_sums_in_another_precision_agree(quantized: OnnxModel, watched: onnx.GraphProto) -> None:
    found = layers(quantized, watched, kind=torch.float32)
    assert len(found) == len(watched.output)
    assert all(one.holds for one in found)


def test_outputs_of_a_watched_network_agree_or_the_layer_is_named(
    quantized: OnnxModel, tmp_path: Path
) -> None:
    image = quantized.reference()[0][:1]
    network = watched_model(quantized, tmp_path)
    assert network.onnx_sha256 != quantized.onnx_sha256
    assert network == watched_model(quantized, tmp_path)
    graph = onnx.load(network.onnx_path).graph
    outputs = tuple(reference.run_graph(graph, image, torch.float32))
    assert first_disagreement(quantized, network, image, outputs) == ""
    names = [one.name for one in graph.output]
    at = len(outputs) // 2
    shifted = (*outputs[:at], np.roll(outputs[at], 1, axis=1), *outputs[at + 1 :])
    assert first_disagreement(quantized, network, image, shifted) == names[at]


def moved_padding(inputs: list[Any], facts: dict[str, Any]) -> Any:
    top, left, bottom, right = facts.get("pads", [0] * 4)
    moved = [0, 0, top + bottom, left + right]
    return RIGHT["Conv"](inputs, {**facts, "pads": moved})


def padding_with_byte_0(inputs: list[Any], facts: dict[str, Any]) -> Any:
    top, left, bottom, right = facts.get("pads", [0] * 4)
    data, *rest = inputs
    lowest = float(data.min())
    padded = torch.nn.functional.pad(data, (left, right, top, bottom), value=lowest)
    return RIGHT["Conv"]([padded, *rest], {**facts, "pads": [0] * 4})


def channels_last(inputs: list[Any], facts: dict[str, Any]) -> Any:
    data, *rest = inputs
    return RIGHT["Conv"]([data.permute(0, 2, 3, 1).reshape(data.shape), *rest], facts)


def truncation(inputs: list[Any], _facts: dict[str, Any]) -> Any:
    value, scale, zero = inputs
    return (torch.floor(value / scale) + zero).clamp(0, 255)


def wrapping(inputs: list[Any], _facts: dict[str, Any]) -> Any:
    value, scale, zero = inputs
    return (torch.round(value / scale) + zero).remainder(256)


def zero_point_off_by_one(inputs: list[Any], facts: dict[str, Any]) -> Any:
    value, scale, *zero = inputs
    if zero and zero[0].dtype == torch.uint8:
        zero = [zero[0].int() + 1]
    return RIGHT["DequantizeLinear"]([value, scale, *zero], facts)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("Conv", moved_padding),
        ("Conv", padding_with_byte_0),
        ("Conv", channels_last),
        ("QuantizeLinear", truncation),
        ("QuantizeLinear", wrapping),
        ("DequantizeLinear", zero_point_off_by_one),
    ],
    ids=lambda one: getattr(one, "__name__", None),
)
def test_a_fault_is_found(
    quantized: OnnxModel,
    watched: onnx.GraphProto,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    wrong: Operator,
) -> None:
    monkeypatch.setitem(OPERATORS, kind, wrong)
    assert not all(one.holds for one in layers(quantized, watched))


def test_saturated_sums_of_16_bits_are_found(
    quantized: OnnxModel, watched: onnx.GraphProto
) -> None:
    """As `vpmaddubsw` has them: two products of bytes are added, and cut off at 32767."""
    fault = SaturatedPairs(watched)
    assert not all(one.holds for one in layers(quantized, watched, fault.on_node))


class SaturatedPairs:
    """Computes convolutions of one tap with sums of two channels that saturate."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._constants = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
        self._dequantizing: dict[str, Any] = {}
        self._values: dict[str, Any] = {}

    def on_node(self, node: Any, output: Any) -> Any:
        """Return a node's output, that of a convolution with the fault."""
        if node.op_type == "DequantizeLinear":
            self._dequantizing[node.output[0]] = node
        self._values[node.output[0]] = output
        if node.op_type != "Conv" or node.input[0] not in self._dequantizing:
            return output
        data, weight = (self._values[name] for name in node.input[:2])
        if weight.shape[2] != 1 or weight.shape[1] % 2:
            return output
        steps = [self._constants[self._dequantizing[name].input[1]] for name in node.input[:2]]
        unit = torch.from_numpy(np.asarray(steps[0] * steps[1], np.float64)).reshape(1, -1, 1, 1)
        zero = float(self._constants[self._dequantizing[node.input[0]].input[2]])
        raw = data + zero * float(steps[0])
        total = output - torch.nn.functional.conv2d(raw, weight)
        for pair in range(0, weight.shape[1], 2):
            both = slice(pair, pair + 2)
            products = torch.nn.functional.conv2d(raw[:, both], weight[:, both]) / unit
            total = total + products.clamp(-32768, 32767) * unit
        return total


def test_what_is_not_finite_does_not_agree() -> None:
    values: Floats = np.array([1.0, np.nan], np.float32)
    assert not compare_steps("logits", values, np.ones(2), 0.1).holds


def test_two_steps_are_allowed_in_few_values() -> None:
    expected = np.zeros(2000)
    few, more, far = expected.copy(), expected.copy(), expected.copy()
    few[:2], more[:3], far[:1] = 2, 1, 3
    assert compare_steps("layer", few, expected, 1.0).holds
    assert not compare_steps("layer", more, expected, 1.0).holds
    assert not compare_steps("layer", far, expected, 1.0).holds
