"""An ONNX graph computed by PyTorch, operator by operator; of a quantized one, fake quantisation.

What is quantized is computed in float64, so that sums of products of bytes are exact.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np

from mobilebench.bench.models.onnx_in_pytorch.elementwise import ELEMENTWISE, UNKNOWN, Operator
from mobilebench.bench.models.onnx_in_pytorch.layers import LAYERS
from mobilebench.bench.models.onnx_in_pytorch.shapes import SHAPES
from mobilebench.bench.models.outputs import Inputs, Outputs
from mobilebench.targets.errors import BenchError

OPERATORS: dict[str, Operator] = {**ELEMENTWISE, **LAYERS, **SHAPES}
OnNode = Callable[[Any, Any], Any]
"""Is told a node and its output, and returns what the nodes after it read."""
_STANDARD = ("", "ai.onnx")
_SEVERAL = ("Split",)  # operators that have more than one output here


def unknown_operators(graph: Any) -> list[str]:
    """Return the operators of an ONNX graph that PyTorch has no form of here."""
    unknown = {name_of(one) for one in graph.node} - OPERATORS.keys()
    read = {name for node in graph.node for name in node.input}
    read |= {one.name for one in graph.output}
    for node in graph.node:
        if node.op_type not in _SEVERAL and read.intersection(node.output[1:]):
            unknown.add(f"{name_of(node)} with {len(node.output)} outputs")
    return sorted(unknown)


def opset_of(model: Any) -> int:
    """Return the version of ONNX's own operators that a model uses; 0 if it uses none."""
    return next((one.version for one in model.opset_import if one.domain in _STANDARD), 0)


def name_of(node: Any) -> str:
    """Return an operator's name, with its domain where that is not ONNX's own."""
    kind = str(node.op_type)
    return kind if node.domain in _STANDARD else f"{node.domain}.{kind}"


class Network:
    """An ONNX model that is run by PyTorch in one type of floating-point numbers."""

    def __init__(self, graph: Any, opset: int, kind: Any) -> None:
        """Take over a graph's weights; raises BenchError for an operator that is not known."""
        import onnx
        import torch

        if unknown := unknown_operators(graph):
            raise BenchError(f"{UNKNOWN}operator {unknown[0]} is not known")
        self._kind = kind
        self._weights: dict[str, Any] = {}
        for one in graph.initializer:
            try:
                value = torch.from_numpy(onnx.numpy_helper.to_array(one).copy())
            except TypeError as error:
                kind_name = onnx.TensorProto.DataType.Name(one.data_type).lower()
                raise BenchError(f"{UNKNOWN}the type {kind_name} is not known") from error
            self._weights[one.name] = value.to(kind) if value.is_floating_point() else value
        (self._input,) = (one.name for one in graph.input if one.name not in self._weights)
        self._outputs = [one.name for one in graph.output]
        self._steps = [
            (node, OPERATORS[name_of(node)], _facts(node, opset, kind)) for node in graph.node
        ]
        self._last = {name: at for at, node in enumerate(graph.node) for name in _reads(node)}

    def to(self, memory_format: Any) -> Self:
        """Lay out the weights of convolutions otherwise."""
        for name, value in self._weights.items():
            if value.dim() == 4:
                self._weights[name] = value.to(memory_format=memory_format)
        return self

    def __call__(self, data: Any, on_node: OnNode | None = None) -> tuple[Any, ...]:
        """Return the outputs for one input, both as PyTorch's tensors."""
        import torch

        values = dict(self._weights)
        values[self._input] = data.to(self._kind)
        with torch.inference_mode():
            for at, (node, operator, facts) in enumerate(self._steps):
                read = [values[name] if name else None for name in node.input]
                result = _computed(operator, read, facts, name_of(node))
                several = result if isinstance(result, tuple | list) else (result,)
                for name, value in zip(node.output, several, strict=False):
                    values[name] = on_node(node, value) if on_node else value
                for name in node.input:
                    if self._last.get(name) == at and name not in self._outputs:
                        values.pop(name, None)
            return tuple(values[name].float() for name in self._outputs)


def load_network(path: Path) -> Network:
    """Return an ONNX file as PyTorch runs it, in float32; raises BenchError as `Network` does."""
    import onnx
    import torch

    model = onnx.load(path)
    return Network(model.graph, opset_of(model), torch.float32)


def infer(path: Path, inputs: Inputs) -> Outputs:
    """Return the outputs (N, ...) of an ONNX file for N inputs, one after the other, from float64.

    Raises BenchError for an operator that is not known.
    """
    import onnx
    import torch

    model = onnx.load(path)
    return infer_each(Network(model.graph, opset_of(model), torch.float64), inputs)


def infer_each(network: Callable[[Any], Iterable[Any]], inputs: Inputs) -> Outputs:
    """Return the outputs (N, ...) of a network for N inputs, one after the other."""
    import torch

    found = [network(torch.from_numpy(one[None])) for one in inputs]
    return tuple(np.concatenate([one.numpy() for one in each]) for each in zip(*found, strict=True))


def _computed(operator: Operator, inputs: list[Any], facts: dict[str, Any], name: str) -> Any:
    """Return what an operator puts out; raises BenchError for a kind that PyTorch refuses."""
    try:
        return operator(inputs, facts)
    except (IndexError, RuntimeError, TypeError, ValueError) as error:
        raise BenchError(f"{UNKNOWN}this kind of {name} is not known") from error


def _facts(node: Any, opset: int, kind: Any) -> dict[str, Any]:
    import onnx

    own = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
    return own | {"opset": opset, "kind": kind, "outputs": len(node.output)}


def _reads(node: Any) -> list[str]:
    return [name for name in node.input if name]
