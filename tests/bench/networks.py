"""Small ONNX files, layer by layer, for what reads graphs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Network:
    """A graph under construction; every method returns the name of what its layer writes."""

    def __init__(self, channels: int, height: int, width: int) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self._input = ("input", [1, channels, height, width])

    def convolution(
        self, data: str, inputs: int, outputs: int, *, taps: int = 1, groups: int = 1
    ) -> str:
        """Add a convolution of stride 1 that keeps the size."""
        weight = self.weight(np.ones((outputs, inputs // groups, taps, taps), np.float32))
        pads = [taps // 2] * 4
        return self.layer("Conv", [data, weight], group=groups, pads=pads)

    def relu6(self, data: str) -> str:
        """Add a ReLU6 as exporters write it."""
        low, high = (self.weight(np.array(value, np.float32)) for value in (0, 6))
        return self.layer("Clip", [data, low, high])

    def layer(self, kind: str, inputs: Sequence[str], **attributes: object) -> str:
        """Add an operator."""
        name = f"{kind.lower()}{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def weight(self, values: np.ndarray) -> str:
        """Add a constant."""
        name = f"weight{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(values, name))
        return name

    def save(self, path: Path, *outputs: str) -> Path:
        """Write the network with those outputs, whose shapes are not told."""
        kinds = [helper.make_tensor_value_info(one, TensorProto.FLOAT, None) for one in outputs]
        data = helper.make_tensor_value_info(self._input[0], TensorProto.FLOAT, self._input[1])
        graph = helper.make_graph(self._nodes, "network", [data], kinds, self._weights)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]), path)
        return path
