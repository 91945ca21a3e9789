"""An exported ONNX graph as runtimes see it: operators in order, activations fused into them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

from mobilebench.targets.errors import BenchError

POINTWISE, DEPTHWISE, CONVOLUTION = "pointwise", "depthwise", "convolution"
_FUSES = (POINTWISE, DEPTHWISE, CONVOLUTION, "Gemm", "Add")
_ACTIVATIONS = ("Clip", "Relu")
_TO_NHWC = [0, 2, 3, 1]


@dataclass(frozen=True)
class Tensor:
    """What operators hand to each other; weights are none."""

    shape: tuple[int, ...]  # NCHW where it has a grid
    writer: int | None  # number of the operator; None: the network's input
    readers: tuple[int, ...]  # numbers of operators
    is_output: bool  # of the network

    @property
    def elements(self) -> int:
        """How many numbers it has."""
        return prod(self.shape)

    @property
    def is_inside(self) -> bool:
        """Whether it is neither the network's input nor an output of it."""
        return self.writer is not None and not self.is_output

    @property
    def grid(self) -> tuple[int, int] | None:
        """Height and width; a vector is one pixel, a list of boxes has none."""
        if len(self.shape) == 4:
            return self.shape[2], self.shape[3]
        return (1, 1) if len(self.shape) == 2 else None


@dataclass(frozen=True)
class Operator:
    """One step of a network, with the activation that follows it."""

    kind: str  # POINTWISE, DEPTHWISE or CONVOLUTION; others as ONNX calls them
    reads: tuple[str, ...]  # names of tensors
    writes: str
    activated: bool = False


@dataclass(frozen=True)
class Graph:
    """Operators in the order of the file, and by name the tensors between them."""

    operators: tuple[Operator, ...]
    tensors: dict[str, Tensor]


def read_graph(path: Path) -> Graph:
    """Read an exported network; batch norm is folded in the file.

    A Clip or Relu behind a convolution, a product or a sum is part of that, if nobody else reads
    what lies between, as in TensorFlow Lite. A Reshape, and a Transpose to NHWC, the layout in
    which CPUs keep activations, are other shapes of the same memory. Raises BenchError for a file
    whose shapes are not all known.
    """
    import onnx

    try:
        model = onnx.shape_inference.infer_shapes(onnx.load(path), strict_mode=True, data_prop=True)
    except Exception as error:
        raise BenchError(f"ONNX file {path}: {str(error).strip().splitlines()[0]}") from error
    graph = model.graph
    weights = {one.name: tuple(one.dims) for one in graph.initializer}
    inputs = [one.name for one in graph.input if one.name not in weights]
    stands_for = {name: name for name in inputs}  # which tensor is behind a name of the file
    readers = _readers(graph)
    operators: list[Operator] = []
    for node in graph.node:
        reads = tuple(stands_for[name] for name in node.input if name in stands_for)
        if not reads:
            continue  # what reads no tensor computes a weight
        (writes,) = node.output
        stands_for[writes] = writes
        if _is_view(node):
            stands_for[writes] = reads[0]
        elif node.op_type in _ACTIVATIONS and readers[node.input[0]] == 1:
            number = _fusible(operators, reads[0])
            if number is None:
                operators.append(Operator(node.op_type, reads, writes))
            else:
                operators[number] = replace(operators[number], writes=writes, activated=True)
        else:
            operators.append(Operator(_kind(node, weights), reads, writes))
    outputs = {stands_for[one.name] for one in graph.output}
    shapes = {one.name: _shape(one) for one in (*graph.value_info, *graph.input, *graph.output)}
    unknown = [one.writes for one in operators if shapes.get(one.writes) is None]
    if unknown:
        raise BenchError(f"ONNX file {path}: the shape of {unknown[0]!r} is not known")
    return Graph(tuple(operators), _tensors(operators, inputs, outputs, shapes))


def _tensors(
    operators: Sequence[Operator], inputs: Sequence[str], outputs: set[str], shapes: dict[str, Any]
) -> dict[str, Tensor]:
    readers: dict[str, list[int]] = {}
    writers: dict[str, int | None] = dict.fromkeys(inputs)
    for number, operator in enumerate(operators):
        writers[operator.writes] = number
        for name in dict.fromkeys(operator.reads):
            readers.setdefault(name, []).append(number)
    return {
        name: Tensor(shapes[name], writer, tuple(readers.get(name, ())), name in outputs)
        for name, writer in writers.items()
    }


def _shape(value: Any) -> tuple[int, ...] | None:
    dims = value.type.tensor_type.shape.dim
    known = all(dim.HasField("dim_value") for dim in dims)
    return tuple(dim.dim_value for dim in dims) if known else None


def _readers(graph: Any) -> dict[str, int]:
    """Count how often each name is read; the network's caller reads its outputs."""
    counts: dict[str, int] = {}
    read = [name for node in graph.node for name in node.input]
    for name in [*read, *(output.name for output in graph.output)]:
        counts[name] = counts.get(name, 0) + 1
    return counts


def _is_view(node: Any) -> bool:
    if node.op_type == "Transpose":
        return bool(_attribute(node, "perm") == _TO_NHWC)
    return bool(node.op_type == "Reshape")


def _fusible(operators: Sequence[Operator], written: str) -> int | None:
    """Return the number of the operator that an activation of its output can be part of."""
    for number, operator in enumerate(operators):
        if operator.writes == written and operator.kind in _FUSES and not operator.activated:
            return number
    return None


def _kind(node: Any, weights: dict[str, tuple[int, ...]]) -> str:
    if node.op_type != "Conv":
        return str(node.op_type)
    out_channels, of_group, *taps = weights[node.input[1]]
    if of_group == 1 and _attribute(node, "group") == out_channels > 1:
        return DEPTHWISE
    return POINTWISE if prod(taps) == 1 else CONVOLUTION


def _attribute(node: Any, name: str) -> Any:
    import onnx

    values = {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute}
    return values.get(name)
