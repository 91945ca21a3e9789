"""An ONNX file of a batch of one, with a larger batch."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mobilebench.bench.cache import cached, content_key, file_sha256, source_key
from mobilebench.targets.errors import BenchError

_FILE = "model.onnx"
_SIZES = {"Reshape": 1, "Expand": 1, "Resize": 3}  # which of their inputs are sizes


def with_batch(onnx_path: Path, batch: int, cache_dir: Path) -> Path:
    """Return a file of the same network whose inputs and outputs have so many images.

    Raises BenchError if its outputs would not have the batch as their first axis.
    """
    key = content_key(file_sha256(onnx_path), batch, source_key(Path(__file__)))
    directory = cache_dir / "onnx" / f"{onnx_path.parent.name}-batch{batch}-{key}"

    def fill(path: Path) -> None:
        import onnx

        onnx.save(_enlarged(onnx.load(onnx_path), batch, onnx_path), path / _FILE)

    return cached(directory, fill) / _FILE


def _enlarged(model: Any, batch: int, source: Path) -> Any:
    """Return the model with a larger batch; what its nodes put out is inferred anew."""
    import onnx

    graph = model.graph
    constants = {one.name for one in graph.initializer}
    for one in graph.input:
        if one.name not in constants:
            _first_axis(one).dim_value = batch
    before = [int(_first_axis(one).dim_value) for one in graph.output]
    del graph.value_info[:]
    for one in graph.output:
        one.type.tensor_type.ClearField("shape")
    for node, place, sizes in _sizes(graph):
        if len(sizes) > 1 and sizes[0] == 1:
            sizes[0] = batch
            name = f"{node.name or node.output[0]}_sizes"
            graph.initializer.append(onnx.numpy_helper.from_array(sizes, name))
            node.input[place] = name
    try:
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        raise _refusal(source, batch) from error
    after = [int(_first_axis(one).dim_value) for one in inferred.graph.output]
    if after != [batch * one for one in before]:
        raise _refusal(source, batch)
    return inferred


def _refusal(source: Path, batch: int) -> BenchError:
    return BenchError(
        f"{source}: with --batch {batch} its outputs have no first axis of as many images; "
        "leave out --batch"
    )


def _sizes(graph: Any) -> Iterator[tuple[Any, int, Any]]:
    """Yield nodes to which the sizes of their output are constant: node, input's place, sizes."""
    import onnx

    values = {one.name: one for one in graph.initializer}
    values |= {
        node.output[0]: attribute.t
        for node in graph.node
        if node.op_type == "Constant"
        for attribute in node.attribute
        if attribute.name == "value"
    }
    for node in graph.node:
        place = _SIZES.get(node.op_type)
        if place is not None and len(node.input) > place and node.input[place] in values:
            yield node, place, onnx.numpy_helper.to_array(values[node.input[place]]).copy()


def _first_axis(value: Any) -> Any:
    return value.type.tensor_type.shape.dim[0]
