"""A quantized network computed by PyTorch, which is fake quantisation: in float64, to be exact."""

from typing import Any

import numpy as np

from mobilebench.bench.models.onnx_in_pytorch.network import Network, OnNode, infer
from mobilebench.bench.models.outputs import Floats

__all__ = ["infer", "run_graph"]

_OPSET = 20  # of what is quantized here


def run_graph(graph: Any, inputs: Floats, kind: Any, on_node: OnNode | None = None) -> list[Floats]:
    """Return the outputs of an ONNX graph, computed in a floating-point type of PyTorch's."""
    import torch

    found = Network(graph, _OPSET, kind)(torch.from_numpy(np.ascontiguousarray(inputs)), on_node)
    return [one.numpy() for one in found]
