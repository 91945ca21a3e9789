"""Whether integer kernels compute what a quantized graph says, layer by layer.

Two right implementations of one quantized network differ in their last outputs. A sum that lies
halfway between two bytes goes up in one and down in the other, since their floating-point factors
are rounded differently, and every layer spreads that. So each layer is held against the reference
by itself: the reference is given the bytes that the kernels computed for the layer before. What is
left is those halfway cases, some tens in a million; a wrong padding, layout, zero point or rounding
and a saturated sum are found in the layer that has them. Truncation moves half of the bytes by one
step only, so it is equal bytes that count.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from mobilebench.bench.cache import cached, content_key, file_sha256, source_key
from mobilebench.bench.models.onnx_export import OnnxModel
from mobilebench.bench.models.outputs import Floats, Outputs
from mobilebench.bench.quantization.reference import run_graph

_MOST_UNEQUAL, _MOST_STEPS = 0.001, 2.0
_STEPS = 255  # of a range that a byte covers
_NEAR = 1e-2  # of a step: what sums in float32 may differ by


@dataclass(frozen=True)
class Agreement:
    """How many steps of its scale the values of a layer are from the reference's."""

    layer: str  # the tensor
    values: int
    equal: float  # share of values that are the same, 0..1
    within_one: float  # share of values that are at most one step off, 0..1
    most_steps: float

    @property
    def holds(self) -> bool:
        """Whether it is an agreement; one value of a small layer may be a halfway case."""
        unequal = round((1 - self.equal) * self.values)
        return unequal <= ceil(_MOST_UNEQUAL * self.values) and self.most_steps <= _MOST_STEPS


def compare_steps(layer: str, computed: Any, expected: Any, step: float) -> Agreement:
    """Compare values of a layer; `step` is that of its scale."""
    off = np.abs(np.asarray(computed, np.float64) - np.asarray(expected, np.float64)) / step
    off = np.where(np.isfinite(off), off, np.inf)
    return Agreement(
        layer,
        off.size,
        equal=float((off <= _NEAR).mean()),
        within_one=float((off <= 1 + _NEAR).mean()),
        most_steps=float(off.max()),
    )


def step_of(outputs: Any) -> float:
    """Return the step of the scale that covers floating-point outputs."""
    return max(float(np.max(outputs)) - min(float(np.min(outputs)), 0.0), 1e-12) / _STEPS


def watch_layers(quantized: Path, watched: Path) -> list[str]:
    """Write a quantized ONNX graph that puts out its layers' bytes too, dequantized.

    Returns their names, in the order of the new outputs, which follow the old ones. What a
    convolution hands to an addition alone is no output: kernels that join the two have no such
    bytes.
    """
    import onnx

    model = onnx.shape_inference.infer_shapes(onnx.load(quantized))
    graph = model.graph
    shapes = {one.name: one for one in graph.value_info}
    readers: dict[str, list[Any]] = defaultdict(list)
    for node in graph.node:
        for name in node.input:
            readers[name].append(node)
    makers = {node.output[0]: node for node in graph.node}
    names = []
    for node in graph.node:
        source = makers.get(node.input[0]) if node.op_type == "DequantizeLinear" else None
        if source is None or source.op_type != "QuantizeLinear":
            continue
        if [one.op_type for one in readers[node.output[0]]] != ["Add"]:
            names.append(node.output[0])
            graph.output.append(shapes[node.output[0]])
    onnx.save(model, watched)
    return names


def watched_model(model: OnnxModel, cache_dir: Path) -> OnnxModel:
    """Return a quantized network that puts out its layers too, as `watch_layers` writes it."""
    key = content_key(model.onnx_sha256, version("onnx"), source_key(Path(__file__)))

    def fill(scratch: Path) -> None:
        watch_layers(model.onnx_path, scratch / "model.onnx")

    path = cached(cache_dir / "watched" / f"{model.name}-{key}", fill) / "model.onnx"
    return replace(model, onnx_path=path, onnx_sha256=file_sha256(path))


def first_disagreement(
    model: OnnxModel, watched: OnnxModel, image: Floats, outputs: Outputs
) -> str:
    """Return the first layer in which the outputs of a watched network are not the reference's.

    Empty if all layers agree; `image` is (1, 3, H, W).
    """
    import onnx

    names = [one.name for one in onnx.load(watched.onnx_path).graph.output]
    computed = dict(zip(names, outputs, strict=True))
    found = compare_layers(model.onnx_path, image, computed)
    return next((one.layer for one in found if not one.holds), "")


def compare_layers(
    quantized: Path, image: Floats, computed: Mapping[str, Floats]
) -> list[Agreement]:
    """Hold what kernels computed for an image (1, 3, H, W) against the reference, layer by layer.

    `computed` has values by the name of a tensor: outputs, and layers as `watch_layers` names them.
    """
    import onnx
    import torch

    graph = onnx.load(quantized).graph
    constants = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    found = []

    def hold(node: Any, output: Any) -> Any:
        name = node.output[0]
        values = computed.get(name)
        if values is None:
            return output
        is_layer = node.op_type == "DequantizeLinear"
        step = float(constants[node.input[1]]) if is_layer else step_of(output.numpy())
        found.append(compare_steps(name, values, output.numpy(), step))
        return torch.from_numpy(values).to(output.dtype) if is_layer else output

    run_graph(graph, image, torch.float64, hold)
    return found
