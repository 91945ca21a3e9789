"""ONNX files as people have them: what can be read, and what is said of the others."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mobilebench.bench.cache import file_sha256
from mobilebench.bench.models.onnx_float32 import has_doubles, in_float32
from mobilebench.bench.models.onnx_in_pytorch.network import name_of
from mobilebench.bench.models.onnx_network import Shape
from mobilebench.bench.models.onnx_quantized import check_quantized, in_qdq
from mobilebench.bench.wrong_file import what_is_said
from mobilebench.targets.errors import BenchError

LEAST_OPSET = 11
_STANDARD = ("", "ai.onnx")
_MOST_ELEMENTS = 2**28  # of an input: 1 GiB
_OTHERS = (  # where in a file which bytes are, and what has them
    (0, b"PK", "a PyTorch file or another archive; export the network to ONNX first"),
    (0, b"\x80", "a pickled PyTorch file; export the network to ONNX first"),
    (0, b"\x89HDF", "a Keras file (HDF5); convert it with tf2onnx"),
    (4, b"TFL3", "a TensorFlow Lite file; convert it with tf2onnx --tflite"),
)
_RANDOM = (
    *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
    *("Bernoulli", "Multinomial"),
)
_UNMADE = re.compile(r"topologically sorted, however input (\S+) of node")  # the checker's words
_IR_VERSION = b"\x08"  # what an ONNX file begins with


def read_model(path: Path) -> tuple[Any, str]:
    """Return an ONNX model with its external data, and the SHA-256 of all of it.

    Double precision becomes float32, and operators on whole numbers those of the QDQ format.

    Raises BenchError for what is no ONNX file, for one that is incomplete or too old, and for
    operators that are not ONNX's own.
    """
    import onnx

    try:
        content = path.read_bytes()
    except OSError as error:
        raise BenchError(f"model {path}: {error.strerror}; give --model an ONNX file") from error
    for at, mark, what in _OTHERS:
        if content[at : at + len(mark)] == mark:
            raise BenchError(f"model {path}: is {what}")
    if said := what_is_said(content):
        raise BenchError(f"model {path}: is {said}; that is no ONNX file")
    try:
        model = onnx.ModelProto.FromString(content)
    except Exception as error:  # protobuf's own
        cut = "is cut short or damaged; get it again"
        what = cut if content.startswith(_IR_VERSION) else "is not an ONNX file"
        raise BenchError(f"model {path}: {what}") from error
    if not model.graph.node or not model.opset_import:
        raise BenchError(f"model {path}: is not an ONNX file, or has no operators")
    if not model.graph.output:
        raise BenchError(f"model {path}: puts nothing out; export it with its outputs")
    given = {one.name for one in (*model.graph.input, *model.graph.initializer)}
    if fixed := [one.name for one in model.graph.output if one.name in given]:
        raise BenchError(
            f"model {path}: output {fixed[0]!r} is not computed, it is a constant or the input "
            "itself; export the network without it"
        )
    if model.graph.sparse_initializer:
        raise BenchError(f"model {path}: has sparse weights; export it with dense ones")
    check_quantized(model, path)
    _check_opset(model, path)
    sha256 = _load_external(model, path)
    _check_float32(model, path)
    _check_inference(model, path)
    _check_graph(model, path)
    return in_qdq(in_float32(model) if has_doubles(model) else model), sha256


def input_shape_of(
    model: Any, given: Shape | None, path: Path, usual: Shape | None = None
) -> tuple[Any, Shape]:
    """Return the network's input and its shape, with a batch of one.

    `given` fills in what the file leaves open, or else `usual` where it fits. Raises
    BenchError for a network that does not take one tensor of 32-bit floating-point numbers, for a
    shape that is not known, or contradicts.
    """
    import onnx

    weights = {one.name for one in model.graph.initializer}
    inputs = [one for one in model.graph.input if one.name not in weights]
    if len(inputs) != 1:
        names = ", ".join(repr(one.name) for one in inputs) or "none"
        raise BenchError(f"model {path}: must have one input, not {len(inputs)} ({names})")
    (only,) = inputs
    kind = only.type.tensor_type.elem_type
    if kind != onnx.TensorProto.FLOAT:
        named = onnx.TensorProto.DataType.Name(kind).lower()
        raise BenchError(
            f"model {path}: input {only.name!r} is {named}; export it with an input of float32"
        )
    declared = _declared(only)
    if given is not None and declared is not None and len(given) != len(declared):
        raise BenchError(
            f"model {path}: input {only.name!r} is ({_words(declared)}); --input-shape has "
            f"{len(given)} sizes, not {len(declared)}"
        )
    is_open = declared is None or any(not known(one) for one in declared[1:])
    if given is None and usual and declared and is_open and _fits(usual, declared):
        given = usual
    if given is None and is_open:
        what = "of any shape" if declared is None else f"({_words(declared)})"
        raise BenchError(
            f"model {path}: input {only.name!r} is {what}; say its size, for example "
            f"--input-shape {_example(declared)}"
        )
    sizes = declared or given or ()
    shape = tuple(
        size if isinstance(size, int) and size > 0 else (given[axis] if given else 1)
        for axis, size in enumerate(sizes)
    )
    if given is not None and shape != given:
        raise BenchError(
            f"model {path}: input {only.name!r} is ({_words(sizes)}), which {_times(given)} does "
            "not fit; leave out --input-shape, or export the network for that size"
        )
    if not shape or shape[0] != 1:
        raise BenchError(
            f"model {path}: input {only.name!r} is ({_words(sizes)}); export it with a batch of 1, "
            "or a dynamic one"
        )
    elements = 1
    for size in shape:
        elements *= size
    if elements > _MOST_ELEMENTS:
        raise BenchError(f"model {path}: an input of {_times(shape)} is larger than can be tried")
    return only, shape


def parse_shape(text: str) -> Shape | None:
    """Read `--input-shape`, sizes with commas or x between them; None if it is empty.

    Raises BenchError for anything else.
    """
    if not text:
        return None
    if not re.fullmatch(r"[1-9]\d{0,8}([,x][1-9]\d{0,8})*", text):
        raise BenchError(
            f"input shape {text!r}: give the size of each axis, for example 1,3,224,224"
        )
    return tuple(map(int, re.split("[,x]", text)))


def _fits(shape: Shape, declared: tuple[int | str, ...]) -> bool:
    if len(shape) != len(declared):
        return False
    return all(one == size or not known(one) for one, size in zip(declared, shape, strict=True))


def known(size: int | str) -> bool:
    """Whether a size of a declared shape is a number."""
    return isinstance(size, int) and size > 0


def _check_opset(model: Any, path: Path) -> None:
    import onnx

    versions = {one.domain: one.version for one in model.opset_import}
    opset = max(versions.get(domain, 0) for domain in _STANDARD)
    if 0 < opset < LEAST_OPSET:
        raise BenchError(
            f"model {path}: its opset is {opset}; export it with opset {LEAST_OPSET} or later"
        )
    functions = {(one.domain, one.name) for one in model.functions}
    for node in _nodes(model.graph):
        own = node.domain in _STANDARD and onnx.defs.has(node.op_type)
        if not own and (node.domain, node.op_type) not in functions:
            raise BenchError(
                f"model {path}: operator {name_of(node)} is not one of ONNX's own; export the "
                "network without it, and without a runtime's own optimisations"
            )
    for what, own, newest in (
        ("opset", opset, onnx.defs.onnx_opset_version()),
        ("IR version", model.ir_version, onnx.IR_VERSION),
    ):
        if own > newest:
            raise BenchError(
                f"model {path}: its {what} is {own}, the onnx package here knows {newest}; pip "
                "install a newer one, or export with an older opset"
            )


def _check_graph(model: Any, path: Path) -> None:
    """Raise BenchError if ONNX's checker has something against a model.

    Shapes of outputs need not be told.
    """
    import onnx

    tensors = [one.type.tensor_type for one in (*model.graph.input, *model.graph.output)]
    model.ir_version = max(model.ir_version, 4)  # before, weights had to be inputs, too
    untold = [one for one in tensors if not one.HasField("shape")]
    for one in untold:
        one.shape.SetInParent()
    try:
        onnx.checker.check_model(model)
    except Exception as error:
        unmade = _UNMADE.search(str(error))
        said = f"nothing before it makes what an operator reads, {unmade[1]}" if unmade else ""
        raise BenchError(f"model {path}: {said or _reason(error)}") from error
    finally:
        for one in untold:
            one.ClearField("shape")


def _check_float32(model: Any, path: Path) -> None:
    import onnx

    halves = (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
    casts = (
        onnx.helper.get_attribute_value(one)
        for node in model.graph.node
        if node.op_type == "Cast"
        for one in node.attribute
        if one.name == "to"
    )
    if any(one.data_type in halves for one in _tensors(model.graph)) or set(halves) & set(casts):
        raise BenchError(
            f"model {path}: has weights of 16 bits; export it in float32 (on a GPU, --precision "
            "float16 makes halves of them)"
        )


def _check_inference(model: Any, path: Path) -> None:
    """Refuse what answers otherwise each time, or by the other images of a batch."""
    nodes = list(_nodes(model.graph))
    for function in model.functions:
        nodes += function.node
    constants = {one.name: one for one in model.graph.initializer}
    constants |= {
        node.output[0]: one.t
        for node in nodes
        if node.op_type == "Constant"
        for one in node.attribute
        if one.name == "value"
    }
    for node in nodes:
        if node.domain not in _STANDARD:
            continue
        if node.op_type in _RANDOM:
            raise BenchError(
                f"model {path}: its operator {node.op_type} draws other numbers each time, so that "
                "answers cannot be compared; export the network without it"
            )
        if node.op_type in ("Dropout", "BatchNormalization") and _trains(node, constants):
            raise BenchError(
                f"model {path}: its operator {node.op_type} is in training mode; export it after "
                "model.eval()"
            )


def _trains(node: Any, constants: dict[str, Any]) -> bool:
    """Whether a node was exported as it is in training."""
    import onnx

    if node.op_type == "BatchNormalization":
        return any(one.name == "training_mode" and one.i for one in node.attribute)
    mode = constants.get(node.input[2]) if len(node.input) > 2 else None
    return mode is not None and bool(onnx.numpy_helper.to_array(mode).any())


def _nodes(graph: Any) -> Iterator[Any]:
    """Yield a graph's nodes, with those of graphs inside them."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)


def _load_external(model: Any, path: Path) -> str:
    """Read tensors that lie in other files; returns the SHA-256 of the model and of these."""
    import onnx

    files = sorted({place for one in _tensors(model.graph) if (place := _location(one))})
    if not files:
        return file_sha256(path)
    digest = hashlib.sha256(file_sha256(path).encode())
    for name in files:
        file = path.parent / name
        if not file.is_file():
            raise BenchError(
                f"model {path}: its weights are in {name}, which is missing; put it beside the "
                "model, under that name"
            )
        digest.update(file_sha256(file).encode())
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
    except Exception as error:
        raise BenchError(
            f"model {path}: its weights in {', '.join(files)} cannot be read: {_reason(error)}"
        ) from error
    return digest.hexdigest()


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            if attribute.HasField("g"):
                yield from _tensors(attribute.g)


def _location(tensor: Any) -> str:
    import onnx

    if tensor.data_location != onnx.TensorProto.EXTERNAL:
        return ""
    return next((one.value for one in tensor.external_data if one.key == "location"), "")


def _declared(value: Any) -> tuple[int | str, ...] | None:
    """Return an input's sizes, names where they are open; None if not even their number is told."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    dims = tensor.shape.dim
    return tuple(
        one.dim_value if one.HasField("dim_value") else (one.dim_param or "?") for one in dims
    )


def _words(sizes: tuple[int | str, ...]) -> str:
    return ", ".join(map(str, sizes))


def _times(sizes: Shape) -> str:
    return "x".join(map(str, sizes))


def _example(declared: tuple[int | str, ...] | None) -> str:
    if declared is None or len(declared) != 4:
        count = len(declared) if declared else 4
        return ",".join(["1", "3", "224", "224"] if count == 4 else ["1"] + ["64"] * (count - 1))
    if known(declared[3]) and not known(declared[1]):
        return f"1,224,224,{declared[3]}"
    channels = declared[1] if known(declared[1]) else 3
    return f"1,{channels},224,224"


def _reason(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__
