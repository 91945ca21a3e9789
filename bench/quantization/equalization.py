"""Give the channels between linear layers ranges of one size, so that one scale fits all of them.

A bottleneck of MobileNetV2 has no activation: its channels may be divided by anything if those who
read them multiply by the same. That changes nothing but roundings in float32, and in 8 bits a
channel of small numbers keeps more than a few steps. Cross-layer equalisation, section 4.1 of
Data-Free Quantization (arXiv 1906.04721), for the tensors that residuals join.
"""

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilebench.bench.models.outputs import Floats
from mobilebench.bench.quantization.reference import run_graph

_SHARE = 0.5  # of a channel's excess: the rest would spread the weights of those who read it


def equalize(graph: Any, inputs: Floats) -> None:
    """Rescale the bottlenecks of a float32 ONNX graph in place; `inputs` are (N, 3, H, W)."""
    import torch

    joined = _joined_tensors(graph)
    ranges: dict[str, NDArray[np.float32]] = {}

    def note(node: Any, output: Any) -> Any:
        name = node.output[0]
        if name in joined:
            found = output.abs().amax((0, 2, 3)).numpy()
            root = joined[name]
            ranges[root] = np.maximum(ranges[root], found) if root in ranges else found
        return output

    for image in inputs:  # one by one: a detector's graph has the batch in its shapes
        run_graph(graph, image[None], torch.float32, note)
    factors = {
        root: (np.maximum(largest, largest.max() * 1e-3) / largest.max()) ** _SHARE
        for root, largest in ranges.items()
        if largest.max() > 0
    }
    weights = {one.name: one for one in graph.initializer}
    for node in graph.node:
        if node.op_type != "Conv":
            continue
        written, read = joined.get(node.output[0]), joined.get(node.input[0])
        if written in factors:
            for name in node.input[1:]:
                _scale(weights[name], 1 / factors[written], axis=0)
        if read in factors:
            _scale(weights[node.input[1]], factors[read], axis=1)


def _joined_tensors(graph: Any) -> dict[str, str]:
    """Return the tensors that may be rescaled, each with the name of its group.

    Additions make one group of what they read and write. A group counts if nothing but convolutions
    without groups and additions write and read it, and every weight is read once.
    """
    groups: dict[str, str] = {}

    def root(name: str) -> str:
        while groups.setdefault(name, name) != name:
            name = groups[name]
        return name

    readers, writer = defaultdict(list), {}
    for node in graph.node:
        writer[node.output[0]] = node
        for name in node.input:
            readers[name].append(node)
        if node.op_type == "Add":
            for name in node.input:
                groups[root(name)] = root(node.output[0])
        elif node.op_type == "Conv":
            root(node.output[0])
    outputs = {one.name for one in graph.output}
    bad = set()
    for name in list(groups):
        made = writer.get(name)
        used = readers[name]
        linear = made is not None and (made.op_type == "Add" or _is_free(made, readers))
        passed_on = all(
            node.op_type == "Add"
            or (_is_free(node, readers) and node.input[0] == name and _groups(node) == 1)
            for node in used
        )
        if not linear or not passed_on or name in outputs or not used:
            bad.add(root(name))
    return {name: root(name) for name in groups if root(name) not in bad}


def _is_free(node: Any, readers: dict[str, list[Any]]) -> bool:
    """Whether a node is a convolution whose weights are its own."""
    return node.op_type == "Conv" and all(len(readers[name]) == 1 for name in node.input[1:])


def _groups(node: Any) -> int:
    return next((int(one.i) for one in node.attribute if one.name == "group"), 1)


def _scale(tensor: Any, factors: NDArray[np.float32], axis: int) -> None:
    from onnx import numpy_helper

    values = numpy_helper.to_array(tensor)
    shape = [1] * values.ndim
    shape[axis] = -1
    scaled = (values * factors.reshape(shape)).astype(np.float32)
    tensor.CopyFrom(numpy_helper.from_array(scaled, tensor.name))
