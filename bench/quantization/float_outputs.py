"""Leave the outputs of a quantized network floating-point numbers."""

from collections import Counter
from typing import Any

_MOVES = ("Concat", "Flatten", "Reshape", "Resize", "Squeeze", "Transpose", "Unsqueeze")


def keep_outputs_float(graph: Any) -> None:
    """Drop what quantizes the outputs of an ONNX graph, back to where they were computed.

    Rounding logits to 255 steps saves nothing, since a caller wants numbers.
    """
    for output in graph.output:
        _float_from(graph, output.name)
    _drop_unused(graph)


def _float_from(graph: Any, tensor: str) -> None:
    producers = {name: node for node in graph.node for name in node.output}
    node = producers.get(tensor)
    if node is None:
        return
    if node.op_type == "DequantizeLinear":
        quantizing = producers.get(node.input[0])
        if quantizing is None or quantizing.op_type != "QuantizeLinear":
            return
        before = quantizing.input[0]
        if before not in producers:
            return
        _rename(graph, tensor, before)
        _float_from(graph, tensor if _is_output(graph, tensor) else before)
    elif node.op_type in _MOVES:
        for number, source in enumerate(list(node.input)):
            if number == 0 or node.op_type == "Concat":
                _float_from(graph, source)


def _is_output(graph: Any, tensor: str) -> bool:
    return any(output.name == tensor for output in graph.output)


def _rename(graph: Any, dequantized: str, before: str) -> None:
    """Have everybody who reads the dequantized tensor read the one before it was quantized.

    An output of the graph keeps its name.
    """
    kept = dequantized if _is_output(graph, dequantized) else before
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and list(node.output) == [dequantized]:
            node.output[0] = f"{dequantized}_unused"
        for number, name in enumerate(node.input):
            if name in (dequantized, before):
                node.input[number] = kept
        for number, name in enumerate(node.output):
            if name == before:
                node.output[number] = kept


def _drop_unused(graph: Any) -> None:
    """Drop nodes and initialisers that nobody reads."""
    while True:
        read = Counter(name for node in graph.node for name in node.input)
        read.update(output.name for output in graph.output)
        unused = [node for node in graph.node if not any(name in read for name in node.output)]
        if not unused:
            break
        for node in unused:
            graph.node.remove(node)
    for one in [one for one in graph.initializer if one.name not in read]:
        graph.initializer.remove(one)
    for one in [one for one in graph.value_info if one.name not in read]:
        graph.value_info.remove(one)
