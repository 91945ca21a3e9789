"""An ONNX graph computed by PyTorch: of a quantized one that is fake quantisation.

`infer` computes in float64, so that sums of products of bytes are exact.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mobilebench.bench.models.outputs import Floats, Outputs
from mobilebench.targets.errors import BenchError

OnNode = Callable[[Any, Any], Any]
"""Is told a node and its output, and returns what the nodes after it read."""


def infer(path: Path, inputs: Floats) -> Outputs:
    """Return the outputs (N, ...) of an ONNX file for inputs (N, 3, H, W), one after the other.

    Raises BenchError for an operator that is not known.
    """
    import onnx
    import torch

    graph = onnx.load(path).graph
    found = [run_graph(graph, image[None], torch.float64) for image in inputs]
    return tuple(np.concatenate(one) for one in zip(*found, strict=True))


def run_graph(graph: Any, inputs: Floats, kind: Any, on_node: OnNode | None = None) -> list[Floats]:
    """Return the outputs of an ONNX graph, computed in a floating-point type of PyTorch's."""
    import onnx
    import torch

    values: dict[str, Any] = {
        one.name: torch.from_numpy(onnx.numpy_helper.to_array(one).copy())
        for one in graph.initializer
    }
    values = {
        name: value.to(kind) if value.is_floating_point() else value
        for name, value in values.items()
    }
    values[graph.input[0].name] = torch.from_numpy(inputs).to(kind)
    last = {name: number for number, node in enumerate(graph.node) for name in node.input}
    kept = {one.name for one in graph.output}
    for number, node in enumerate(graph.node):
        operator = _OPERATORS.get(node.op_type)
        if operator is None:
            raise BenchError(f"PyTorch's reference: operator {node.op_type} is not known")
        facts = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
        with torch.inference_mode():
            result = operator([values[name] if name else None for name in node.input], facts)
            values[node.output[0]] = on_node(node, result) if on_node else result
        for name in node.input:
            if last.get(name) == number and name not in kept:
                values.pop(name, None)
    return [values[one.name].float().numpy() for one in graph.output]


def _quantize(inputs: list[Any], _facts: dict[str, Any]) -> Any:
    import torch

    value, scale, zero = inputs
    limits = torch.iinfo(zero.dtype)
    return (torch.round(value / scale) + zero).clamp(limits.min, limits.max)


def _dequantize(inputs: list[Any], facts: dict[str, Any]) -> Any:
    value, scale, zero = inputs
    if scale.numel() > 1:
        shape = [1] * value.dim()
        shape[facts.get("axis", 1)] = -1
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    return (value.to(scale.dtype) - zero) * scale


def _conv(inputs: list[Any], facts: dict[str, Any]) -> Any:
    import torch

    data, weight, *bias = inputs
    top, left, bottom, right = facts.get("pads", [0, 0, 0, 0])
    padded = torch.nn.functional.pad(data, (left, right, top, bottom))
    return torch.nn.functional.conv2d(
        padded,
        weight,
        *bias,
        stride=facts.get("strides", [1, 1]),
        dilation=facts.get("dilations", [1, 1]),
        groups=facts.get("group", 1),
    )


def _clip(inputs: list[Any], _facts: dict[str, Any]) -> Any:
    data, *bounds = inputs
    least, most = (*bounds, None, None)[:2]
    return data.clamp(least, most)


def _gemm(inputs: list[Any], facts: dict[str, Any]) -> Any:
    data, weight, *bias = inputs
    product = data @ (weight.T if facts.get("transB") else weight)
    return product + bias[0] if bias else product


def _mean(inputs: list[Any], facts: dict[str, Any]) -> Any:
    data, *axes = inputs
    dims = axes[0].tolist() if axes else facts.get("axes", [2, 3])
    return data.mean(dims, keepdim=bool(facts.get("keepdims", 1)))


def _reshape(inputs: list[Any], _facts: dict[str, Any]) -> Any:
    data, shape = inputs
    sizes = [data.shape[at] if size == 0 else size for at, size in enumerate(shape.tolist())]
    return data.reshape(sizes)


def _resize(inputs: list[Any], facts: dict[str, Any]) -> Any:
    import torch

    data, sizes = inputs[0], inputs[3]
    mode = facts.get("coordinate_transformation_mode", b"half_pixel")
    if facts.get("mode") != b"linear" or mode not in (
        b"align_corners",
        b"half_pixel",
        b"pytorch_half_pixel",
    ):
        raise BenchError(f"PyTorch's reference: Resize {mode.decode()} is not known")
    return torch.nn.functional.interpolate(
        data, sizes.tolist()[2:], mode="bilinear", align_corners=mode == b"align_corners"
    )


def _concat(inputs: list[Any], facts: dict[str, Any]) -> Any:
    import torch

    return torch.cat(inputs, facts["axis"])


_OPERATORS: dict[str, Callable[[list[Any], dict[str, Any]], Any]] = {
    "QuantizeLinear": _quantize,
    "DequantizeLinear": _dequantize,
    "Conv": _conv,
    "Clip": _clip,
    "Relu": lambda inputs, _: inputs[0].relu(),
    "Add": lambda inputs, _: inputs[0] + inputs[1],
    "Gemm": _gemm,
    "ReduceMean": _mean,
    "GlobalAveragePool": lambda inputs, _: inputs[0].mean((2, 3), keepdim=True),
    "Flatten": lambda inputs, _: inputs[0].flatten(1),
    "Reshape": _reshape,
    "Transpose": lambda inputs, facts: inputs[0].permute(facts["perm"]),
    "Concat": _concat,
    "Resize": _resize,
    "Expand": lambda inputs, _: inputs[0].expand(inputs[1].tolist()),
    "Squeeze": lambda inputs, _: inputs[0].squeeze(inputs[1].tolist()),
}
