"""Small quantized graphs, as ONNX files, in which rounding one byte cannot spread far."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

_OPSET = 20


class QuantizedGraph:
    """A graph that is put together operator by operator; tensors are known by their names."""

    def __init__(self, shape: Sequence[int], seed: int = 0) -> None:
        self._random = np.random.default_rng(seed)
        self._shape = list(shape)
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._scales: dict[str, float] = {}

    def image(self, step: float = 0.02, zero: int = 114) -> str:
        """Return the network's input in 8 bits."""
        return self.quantized("input", step, zero)

    def quantized(self, name: str, step: float, zero: int, kind: Any = np.uint8) -> str:
        """Return what a tensor is after it was rounded to bytes."""
        scale = [self._constant(np.float32(step)), self._constant(kind(zero))]
        rounded = self._node("QuantizeLinear", [name, *scale])
        found = self._node("DequantizeLinear", [rounded, *scale])
        self._scales[found] = step
        return found

    def convolution(
        self,
        data: str,
        inputs: int,
        outputs: int,
        taps: int = 1,
        *,
        most: float | None = None,
        **attributes: Any,
    ) -> str:
        """Return a convolution with a bias, bounded by 0 and `most` if there is one."""
        groups = attributes.get("group", 1)
        shape = (outputs, inputs // groups, taps, taps)
        weight, bias = self._weight(data, shape)
        found = self._node("Conv", [data, weight, bias], kernel_shape=[taps, taps], **attributes)
        if most is None:
            return found
        bounds = [self._constant(np.float32(one)) for one in (0, most)]
        return self._node("Clip", [found, *bounds])

    def classifier(self, data: str, inputs: int, outputs: int) -> str:
        """Return a matrix product with a bias."""
        weight, bias = self._weight(data, (outputs, inputs))
        return self._node("Gemm", [data, weight, bias], transB=1)

    def add(self, one: str, other: str) -> str:
        """Return the sum of two tensors."""
        return self._node("Add", [one, other])

    def mean(self, data: str, *, keepdims: bool = False) -> str:
        """Return the mean over all pixels."""
        axes = self._constant(np.array([2, 3], np.int64))
        return self._node("ReduceMean", [data, axes], keepdims=int(keepdims))

    def reshape(self, data: str, *shape: int) -> str:
        """Return the same numbers in another shape."""
        return self._node("Reshape", [data, self._constant(np.array(shape, np.int64))])

    def concat(self, *parts: str) -> str:
        """Return the channels of some tensors, one after the other."""
        return self._node("Concat", list(parts), axis=1)

    def resize(self, data: str, *shape: int, mode: str = "half_pixel") -> str:
        """Return an image enlarged to a shape, interpolated between neighbours."""
        sizes = self._constant(np.array(shape, np.int64))
        facts = {"mode": "linear", "coordinate_transformation_mode": mode}
        return self._node("Resize", [data, "", "", sizes], **facts)

    def relu(self, data: str) -> str:
        """Return the numbers without the negative ones."""
        return self._node("Relu", [data])

    def sigmoid(self, data: str) -> str:
        """Return an operator that has no form for bytes."""
        return self._node("Sigmoid", [data])

    def write(self, path: Path, *outputs: str) -> Path:
        """Write the file; the shapes of the outputs are inferred."""
        kind = TensorProto.FLOAT
        graph = helper.make_graph(
            self._nodes,
            "quantized",
            [helper.make_tensor_value_info("input", kind, self._shape)],
            [helper.make_tensor_value_info(name, kind, None) for name in outputs],
            self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
        model.ir_version = 10
        model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
        onnx.checker.check_model(model)
        onnx.save(model, path)
        return path

    def _weight(self, data: str, shape: Sequence[int]) -> tuple[str, str]:
        values = self._random.integers(-127, 128, shape).astype(np.int8)
        spread = (
            0.7 / np.sqrt(np.prod(shape[1:])) / 73
        )  # keeps what comes out as large as it went in
        steps = (spread * self._random.uniform(0.5, 1.5, shape[0])).astype(np.float32)
        zeros = np.zeros(shape[0], np.int8)
        weight = self._dequantized(values, steps, zeros)
        bias_steps = (steps * np.float32(self._scales[data])).astype(np.float32)
        bias = np.rint(self._random.normal(0, 0.3, shape[0]) / bias_steps).astype(np.int32)
        return weight, self._dequantized(bias, bias_steps, np.zeros(shape[0], np.int32))

    def _dequantized(self, *parts: NDArray[Any]) -> str:
        return self._node("DequantizeLinear", [self._constant(one) for one in parts], axis=0)

    def _constant(self, values: Any) -> str:
        name = f"constant{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def _node(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        name = f"tensor{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name
