"""What an ONNX graph tells about itself: multiply-adds, parameters, layout, task."""

from math import prod
from typing import Any

from mobilebench.bench.models.onnx_canonical import shapes_of
from mobilebench.bench.models.onnx_network import NCHW, NHWC, OTHER, Shape
from mobilebench.bench.models.size import FLOAT32_BYTES, Size
from mobilebench.bench.models.variant import CLASSIFY, SEGMENT

_IMAGE_CHANNELS = (1, 3, 4)
_TO_NCHW, _TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]
_KEEPS_VALUES = (
    *("Reshape", "Identity", "Squeeze", "Flatten", "Transpose", "Cast"),
    *("QuantizeLinear", "DequantizeLinear"),
)
_FLOATING = ("FLOAT", "FLOAT16", "DOUBLE", "BFLOAT16")


def size_of_graph(model: Any) -> Size:
    """Count multiply-adds, parameters and the largest activation of a canonical model."""
    shapes = shapes_of(model)
    weights = {one.name for one in model.graph.initializer}
    activations = [prod(shape) for name, shape in shapes.items() if name not in weights]
    return Size(
        macs=sum(_macs(node, shapes) for node in model.graph.node),
        params_count=_params_count(model),
        largest_tensor_bytes=max(activations) * FLOAT32_BYTES,
    )


def layout_of(model: Any, name: str, shape: Shape) -> str:
    """Return in which order an image's axes are; empty for what is no image.

    What reads the input tells, and if that does not, where three or so channels are.
    """
    if len(shape) != 4:
        return ""
    for node in model.graph.node:
        if name not in node.input:
            continue
        if node.op_type == "Transpose" and _attribute(node, "perm") == _TO_NCHW:
            return NHWC
        if node.op_type in ("Conv", "MaxPool", "AveragePool", "BatchNormalization"):
            return NCHW
    last = shape[3] in _IMAGE_CHANNELS and shape[1] not in _IMAGE_CHANNELS
    return NHWC if last else NCHW


def task_of(model: Any, layout: str, shape: Shape, outputs: tuple[tuple[str, Shape], ...]) -> str:
    """Return what a network does, as far as shapes tell: classes of images or pixels, or other.

    A network that puts out whole numbers has chosen the class by itself: they are no logits.
    """
    if not layout or len(outputs) != 1 or _chooses(model):
        return OTHER
    ((_, found),) = outputs
    if len(found) == 2 and found[0] == 1:
        return CLASSIFY
    if layout == NCHW and len(found) == 4 and found[1] > 1 and found[2:] == shape[2:]:
        return SEGMENT
    return OTHER


def puts_out_probabilities(model: Any) -> bool:
    """Whether the last output is made by a softmax or a sigmoid."""
    node = _maker(model, model.graph.output[-1].name)
    while node is not None and node.op_type in _KEEPS_VALUES:
        node = _maker(model, node.input[0])
    return node is not None and node.op_type in ("Softmax", "Sigmoid")


def _chooses(model: Any) -> bool:
    """Whether the last output is whole numbers, of which floating-point ones were made."""
    import onnx

    node = _maker(model, model.graph.output[-1].name)
    if node is None or node.op_type != "Cast":
        return False
    kinds = {one.name: one.type.tensor_type.elem_type for one in model.graph.value_info}
    read = onnx.TensorProto.DataType.Name(kinds.get(node.input[0], 0))
    return read not in (*_FLOATING, "UNDEFINED")


def _maker(model: Any, name: str) -> Any:
    return next((node for node in model.graph.node if name in node.output), None)


def is_quantized(model: Any) -> bool:
    """Whether activations are rounded to whole numbers."""
    return any(node.op_type == "QuantizeLinear" for node in model.graph.node)


def _macs(node: Any, shapes: dict[str, Shape]) -> int:
    try:
        data, weight = (shapes[name] for name in node.input[:2])
        out = shapes[node.output[0]]
    except (KeyError, ValueError):
        return 0
    if node.op_type == "Conv":
        return prod(out) * prod(weight[1:])
    if node.op_type == "ConvTranspose":
        return prod(data) * prod(weight[1:])
    if node.op_type == "MatMul":
        return prod(out) * data[-1]
    if node.op_type == "Gemm":
        return prod(out) * data[0 if _attribute(node, "transA") else 1]
    return 0


def _params_count(model: Any) -> int:
    """Count floating-point weights, and whole numbers that stand for such."""
    import onnx

    quantized = {node.input[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    scales = {
        name
        for node in model.graph.node
        if node.op_type in ("QuantizeLinear", "DequantizeLinear")
        for name in node.input[1:]
    }
    kinds = onnx.TensorProto.DataType
    return sum(
        prod(one.dims)
        for one in model.graph.initializer
        if one.name in quantized
        or (kinds.Name(one.data_type) in _FLOATING and one.dims and one.name not in scales)
    )


def _attribute(node: Any, name: str) -> Any:
    import onnx

    found = (onnx.helper.get_attribute_value(one) for one in node.attribute if one.name == name)
    return next(found, None)
