"""The memory that the activations of an exported network need in any runtime."""

from math import prod
from pathlib import Path

from mobilebench.bench.models.onnx_graph import DEPTHWISE, POINTWISE, Graph, Tensor, read_graph
from mobilebench.reports.records.activations import Activations, Largest, OperatorMemory
from mobilebench.schedules.arena import Lifetime, plan, total_bytes
from mobilebench.schedules.precision import FLOAT16, FLOAT32, INT8

_ELEMENT_BYTES = {FLOAT32: 4, FLOAT16: 2, INT8: 1}


def activations_of(onnx_path: Path, precision: str) -> Activations:
    """Return the needs of a network whose activations are stored in a precision of PRECISIONS.

    At int8 the file is the network in float32, and its input and outputs remain that.
    Raises BenchError for a file whose shapes are not all known.
    """
    graph = read_graph(onnx_path)
    element_bytes = _ELEMENT_BYTES[precision]
    outer_bytes = _ELEMENT_BYTES[FLOAT32] if precision == INT8 else element_bytes
    tensors = graph.tensors.values()
    lifetimes = [lifetime(one, element_bytes) for one in tensors if one.is_inside]
    return Activations(
        element_bytes=element_bytes,
        input_bytes=outer_bytes * sum(one.elements for one in tensors if one.writer is None),
        output_bytes=outer_bytes * sum(one.elements for one in tensors if one.is_output),
        sizes=largest_by_size(graph),
        steps=tuple(
            OperatorMemory(
                _name(operator.kind, graph.tensors[operator.writes]),
                sum(one.size for one in lifetimes if one.first <= number <= one.last),
            )
            for number, operator in enumerate(graph.operators)
        ),
        total_bytes=sum(one.size for one in lifetimes),
        offsets_bytes=total_bytes(lifetimes, plan(lifetimes)),
        plans={},
    )


def lifetime(tensor: Tensor, element_bytes: int) -> Lifetime:
    """Return from which operator to which a tensor inside the network is needed."""
    assert tensor.writer is not None
    last = max(tensor.readers, default=tensor.writer)
    return Lifetime(tensor.elements * element_bytes, tensor.writer, last)


def largest_by_size(graph: Graph) -> tuple[Largest, ...]:
    """Return the channels at each spatial size, the network's input and outputs included.

    That is Table 3 of arXiv 1801.04381. What has no grid, a list of boxes, is left out.
    """
    inner, bottlenecks = blocks_of(graph)
    grids = {tensor.grid for tensor in graph.tensors.values() if tensor.grid}
    found = []
    for grid in sorted(grids, key=lambda grid: (-prod(grid), grid)):
        channels = {
            name: tensor.elements // prod(grid)
            for name, tensor in graph.tensors.items()
            if tensor.grid == grid
        }
        kept = [channels[name] for name in channels.keys() - inner]
        narrow = {channels[name] for name in channels.keys() & bottlenecks}
        found.append(
            Largest(*grid, max(channels.values()), max(kept, default=0), tuple(sorted(narrow)))
        )
    return tuple(found)


def blocks_of(graph: Graph) -> tuple[set[str], set[str]]:
    """Return the tensors inside blocks, and the outputs of inverted residuals, by name.

    Section 5.1 of arXiv 1801.04381 computes a linear transformation, something non-linear for each
    channel by itself, and a linear transformation again without ever having more than some channels
    of what lies between. That is between a depthwise convolution and the pointwise one that alone
    reads it; and before the depthwise one too, if only that reads it and the pointwise one has no
    activation. So it is in an inverted residual, with the stem in the place of the first one's
    expansion, and not in MobileNetV1, where every pointwise convolution has an activation.
    """
    inner: set[str] = set()
    bottlenecks: set[str] = set()
    for operator in graph.operators:
        filtered = graph.tensors[operator.writes]
        if operator.kind != DEPTHWISE or len(filtered.readers) != 1 or filtered.is_output:
            continue
        projection = graph.operators[filtered.readers[0]]
        if projection.kind != POINTWISE:
            continue
        inner.add(operator.writes)
        (expanded,) = operator.reads
        if not projection.activated and _is_expansion(graph, graph.tensors[expanded]):
            inner.add(expanded)
            bottlenecks.add(projection.writes)
    return inner, bottlenecks


def _is_expansion(graph: Graph, tensor: Tensor) -> bool:
    """Whether a tensor has been made for the depthwise convolution that reads it, and activated."""
    if tensor.writer is None or tensor.is_output or len(tensor.readers) != 1:
        return False
    return graph.operators[tensor.writer].activated


def _name(kind: str, written: Tensor) -> str:
    if written.grid is None:
        return f"{kind} {'x'.join(map(str, written.shape[1:]))}"
    height, width = written.grid
    return f"{kind} {height}x{width}x{written.elements // (height * width)}"
