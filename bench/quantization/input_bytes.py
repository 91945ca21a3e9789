"""The bytes that a quantized network makes of its input before anything else."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mobilebench.bench.models.outputs import Floats

Bytes = NDArray[np.uint8]


def input_scale(onnx_path: Path) -> tuple[float, int] | None:
    """Return the step and zero point of a network's first input; None if it is not made bytes."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(onnx_path).graph
    users = [node for node in graph.node if graph.input[0].name in node.input]
    if [node.op_type for node in users] != ["QuantizeLinear"]:
        return None
    known = {one.name: one for one in graph.initializer}
    if len(users[0].input) < 3 or not set(users[0].input[1:3]) <= set(known):
        return None
    step, zero = (numpy_helper.to_array(known[name]) for name in users[0].input[1:3])
    if step.size != 1 or zero.dtype != np.uint8:
        return None
    return float(step.reshape(())), int(zero.reshape(()))


def bytes_of(values: Floats, step: float, zero: int) -> Bytes:
    """Return what QuantizeLinear makes of numbers."""
    nearest = np.rint(values / np.float32(step)) + zero
    found: Bytes = np.clip(nearest, 0, 255).astype(np.uint8)
    return found


def numbers_of(values: Bytes, step: float, zero: int) -> Floats:
    """Return what DequantizeLinear makes of bytes."""
    return (values.astype(np.int32) - zero).astype(np.float32) * np.float32(step)
