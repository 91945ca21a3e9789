"""ONNX files in double precision, as networks of float32, which is what is measured."""

from collections.abc import Iterator
from typing import Any

import numpy as np

_MOST = float(np.finfo(np.float32).max)


def has_doubles(model: Any) -> bool:
    """Whether a model has any number of 64 bits that is no whole number."""
    double = _double()
    return any(one.data_type == double for one in _tensors(model)) or any(
        one.elem_type == double for one in _types(model)
    )


def in_float32(model: Any) -> Any:
    """Return a copy of a model whose float64 numbers are float32; larger ones become the largest.

    What it declares of values inside is left out, to be inferred again.
    """
    import onnx

    double, single = _double(), onnx.TensorProto.FLOAT
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for tensor in _tensors(copy):
        if tensor.data_type == double:
            values = onnx.numpy_helper.to_array(tensor)
            finite = np.where(np.isfinite(values), values.clip(-_MOST, _MOST), values)
            tensor.CopyFrom(onnx.numpy_helper.from_array(finite.astype(np.float32), tensor.name))
    for kind in _types(copy):
        if kind.elem_type == double:
            kind.elem_type = single
    for graph in _graphs(copy.graph):
        del graph.value_info[:]
    for node in _nodes(copy):
        for attribute in node.attribute:
            if attribute.name in ("to", "dtype") and attribute.i == double:
                attribute.i = single
    return copy


def _double() -> int:
    import onnx

    return int(onnx.TensorProto.DOUBLE)


def _graphs(graph: Any) -> Iterator[Any]:
    """Yield a graph and those inside its nodes."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)


def _nodes(model: Any) -> Iterator[Any]:
    for graph in _graphs(model.graph):
        yield from graph.node
    for function in model.functions:
        yield from function.node


def _tensors(model: Any) -> Iterator[Any]:
    for graph in _graphs(model.graph):
        yield from graph.initializer
    for node in _nodes(model):
        yield from (one.t for one in node.attribute if one.HasField("t"))


def _types(model: Any) -> Iterator[Any]:
    for graph in _graphs(model.graph):
        yield from (one.type.tensor_type for one in (*graph.input, *graph.output))
