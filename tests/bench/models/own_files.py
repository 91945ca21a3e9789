"""Small networks as ONNX files, as exporters write them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Sizes = Sequence[int | str | None]


def convolution(inputs: int = 3, outputs: int = 8, taps: int = 3, seed: int = 0) -> np.ndarray:
    """Return weights of a convolution."""
    shape = (outputs, inputs, taps, taps)
    return np.random.default_rng(seed).standard_normal(shape, np.float32) / taps


def write(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    weights: dict[str, np.ndarray],
    *,
    shape: Sizes = (1, 3, 16, 16),
    outputs: Sequence[str] = ("out",),
    opset: int = 18,
    kinds: tuple[int, int] = (TensorProto.FLOAT, TensorProto.FLOAT),
    **options: Any,
) -> Path:
    """Write a network whose input is `x`; `kinds` are the types of input and outputs.

    More options are those of `onnx.save`.
    """
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", kinds[0], shape)],
        [helper.make_tensor_value_info(name, kinds[1], None) for name in outputs],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)]), path, **options
    )
    return path


def classifier(path: Path, *, shape: Sizes = (1, 3, 16, 16), **options: Any) -> Path:
    """Write a convolution, pooling and a linear layer of 10 classes."""
    linear = np.random.default_rng(1).standard_normal((8, 10), np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "weight"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "linear"], ["out"]),
    ]
    weights = {"weight": convolution(), "linear": linear}
    return write(path, nodes, weights, shape=shape, **options)


def channels_last(path: Path, **options: Any) -> Path:
    """Write a classifier of images (N, H, W, 3) that ends in a softmax, as tf2onnx does."""
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["t", "weight"], ["c"], auto_pad="SAME_UPPER", strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["c"], ["p"]),
        helper.make_node("Squeeze", ["p", "axes"], ["s"]),
        helper.make_node("Softmax", ["s"], ["Identity:0"]),
    ]
    weights = {"weight": convolution(), "axes": np.array([2, 3])}
    options = {"shape": ("batch", 16, 16, 3), "outputs": ["Identity:0"]} | options
    return write(path, nodes, weights, **options)


def quantized(path: Path, **options: Any) -> Path:
    """Write a convolution in 8 bits, with QuantizeLinear and DequantizeLinear."""
    byte = np.random.default_rng(2).integers(-127, 128, (8, 3, 3, 3), np.int8)
    weights = {
        "step": np.array(0.02, np.float32),
        "zero": np.array(128, np.uint8),
        "byte": byte,
        "steps": np.full(8, 0.01, np.float32),
        "zeros": np.zeros(8, np.int8),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "step", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "step", "zero"], ["d"]),
        helper.make_node("DequantizeLinear", ["byte", "steps", "zeros"], ["weight"], axis=0),
        helper.make_node("Conv", ["d", "weight"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["c"], ["p"]),
        helper.make_node("Flatten", ["p"], ["out"]),
    ]
    return write(path, nodes, weights, **options)
