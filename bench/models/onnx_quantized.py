"""Quantized ONNX files in one form: QuantizeLinear and DequantizeLinear around usual operators.

Source: the definitions of QLinearConv, QLinearMatMul and DequantizeLinear in ONNX's operators.
"""

from pathlib import Path
from typing import Any

import numpy as np

from mobilebench.targets.errors import BenchError

_CONV, _MATMUL = "QLinearConv", "QLinearMatMul"
_KEPT = ("INT8", "UINT8", "INT16", "UINT16", "INT32")  # types of weights as they are
_ROUNDED = ("INT8", "UINT8", "INT16", "UINT16")  # of activations
_TO_QDQ = "quantize it statically, in the QDQ format (quant_format=QuantFormat.QDQ)"


def check_quantized(model: Any, path: Path) -> None:
    """Raise BenchError for ways to quantize a network that are not to be had here."""
    import onnx

    kinds = {one.name: one.data_type for one in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "ConvInteger":
            raise BenchError(
                f"model {path}: its operator ConvInteger is of a network that is quantized anew "
                f"for every input; {_TO_QDQ}"
            )
        if node.domain == "com.microsoft" and node.op_type.startswith("Q"):
            raise BenchError(
                f"model {path}: its operator com.microsoft.{node.op_type} is ONNX Runtime's own; "
                f"{_TO_QDQ}"
            )
        if node.op_type == "QuantizeLinear":
            declared = next((one.i for one in node.attribute if one.name == "output_dtype"), 0)
            zero = kinds.get(node.input[2]) if len(node.input) > 2 else None
            name = onnx.TensorProto.DataType.Name(declared or zero or onnx.TensorProto.UINT8)
            if name not in _ROUNDED:
                raise BenchError(
                    f"model {path}: its activations are rounded to {name.lower()}; quantize it to "
                    "whole numbers of 8 bits, or export it in float32"
                )


def in_qdq(model: Any) -> Any:
    """Return a copy of a model with the operators of the QDQ format.

    QLinearConv and QLinearMatMul become Conv and MatMul of what was dequantized, and are quantized
    again. Weights of 4 bits, of float8 or with a scale for each block become float32.
    """
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    if not {node.op_type for node in graph.node} & {_CONV, _MATMUL, "DequantizeLinear"}:
        return copy
    constants = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    constants |= {
        node.output[0]: onnx.numpy_helper.to_array(one.t)
        for node in graph.node
        if node.op_type == "Constant"
        for one in node.attribute
        if one.name == "value"
    }
    nodes = list(graph.node)
    del graph.node[:]
    for number, node in enumerate(nodes):
        if node.op_type in (_CONV, _MATMUL) and not _by_row(node, constants):
            graph.node.extend(_unfused(node, number, graph, constants))
        elif node.op_type == "DequantizeLinear" and _is_narrow(node, constants):
            graph.initializer.append(_dequantized(node, constants, copy))
        else:
            graph.node.append(node)
    read = {name for node in graph.node for name in node.input}
    kept = [one for one in graph.initializer if one.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return copy


def _by_row(node: Any, constants: dict[str, Any]) -> bool:
    """Whether a product's left side has a scale for each row, or a scale is no constant."""
    scales: list[Any] = [constants.get(node.input[at]) for at in (1, 4, 6)]
    known = all(one is not None for one in scales)
    return not known or any(scales[at].size > 1 for at in (0, 2))


def _unfused(node: Any, number: int, graph: Any, constants: dict[str, Any]) -> list[Any]:
    """Return what an operator on whole numbers is in terms of floating-point ones."""
    from onnx import helper, numpy_helper

    data, data_scale, data_zero, weight, scale, zero, out_scale, out_zero, *bias = node.input
    name = f"{node.name or node.op_type}_{number}"

    def constant(suffix: str, values: Any) -> str:
        graph.initializer.append(numpy_helper.from_array(np.array(values), f"{name}_{suffix}"))
        return f"{name}_{suffix}"

    def single(suffix: str, source: str) -> str:
        values = constants[source]
        return constant(suffix, values.reshape(())) if values.size == 1 else source

    def dequantized(suffix: str, inputs: list[str], axis: int) -> str:
        result = f"{name}_{suffix}"
        made.append(helper.make_node("DequantizeLinear", inputs, [result], axis=axis))
        return result

    made: list[Any] = []
    scales = constants[scale]
    axis = 0 if node.op_type == _CONV else max(1, len(scales.shape))
    pair = [single("data_scale", data_scale), single("data_zero", data_zero)]
    read = [dequantized("data", [data, *pair], 0)]
    pair = [single("weight_scale", scale), single("weight_zero", zero)]
    read.append(dequantized("weight", [weight, *pair], axis))
    if bias and bias[0]:
        product = (constants[data_scale].reshape(-1)[0] * scales).astype(np.float32)
        each = constant("bias_scale", product.reshape(()) if product.size == 1 else product)
        read.append(dequantized("bias", [bias[0], each], 0))
    kind = "Conv" if node.op_type == _CONV else "MatMul"
    done = helper.make_node(kind, read, [f"{name}_done"], name=node.name)
    done.attribute.extend(node.attribute)
    pair = [single("out_scale", out_scale), single("out_zero", out_zero)]
    back = helper.make_node("QuantizeLinear", [f"{name}_done", *pair], list(node.output))
    return [*made, done, back]


def _is_narrow(node: Any, constants: dict[str, Any]) -> bool:
    """Whether a node dequantizes weights of which runtimes have no form of their own."""
    if any(name and name not in constants for name in node.input):
        return False
    blocks = any(one.name == "block_size" and one.i for one in node.attribute)
    return blocks or constants[node.input[0]].dtype.name.upper() not in _KEPT


def _dequantized(node: Any, constants: dict[str, Any], model: Any) -> Any:
    import onnx
    from onnx.reference import ReferenceEvaluator

    output = onnx.ValueInfoProto(name=node.output[0])
    read = [name for name in node.input if name]
    graph = onnx.helper.make_graph([node], "one", [], [output])
    graph.initializer.extend(onnx.numpy_helper.from_array(constants[one], one) for one in read)
    one = onnx.helper.make_model(graph, opset_imports=model.opset_import)
    (found,) = ReferenceEvaluator(one).run(None, {})
    return onnx.numpy_helper.from_array(found.astype(np.float32), node.output[0])
