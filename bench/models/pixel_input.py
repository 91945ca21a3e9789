"""A network that takes the pixels of an image as they are, and normalises them itself.

Its input is uint8, (1, H, W, C): an image as it lies in memory when it is decoded and has its size.
"""

import json
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import cast

import numpy as np

from mobilebench.bench.cache import cached, content_key, file_sha256, source_key
from mobilebench.bench.models.heads import outputs_of
from mobilebench.bench.models.input_type import PIXELS, check_takes_pixels
from mobilebench.bench.models.onnx_export import OnnxModel, check_onnx
from mobilebench.bench.models.onnx_in_pytorch.network import infer
from mobilebench.bench.models.onnx_network import NHWC, Network, OnnxNetwork
from mobilebench.bench.models.outputs import (
    INPUT_NAME,
    Floats,
    Outputs,
    Pixels,
    check_finite,
    largest_error,
    save_outputs,
)
from mobilebench.bench.models.own_network import answers_of_onnx_runtime
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.targets.errors import BenchError

_MODEL, _REFERENCE, _FACTS = "model.onnx", "reference.npz", "facts.json"
_FLOAT_OUTPUTS = "float_outputs.npz"
_LARGEST = 255
_TO_PLANES = (0, 3, 1, 2)


def with_pixel_input(
    model: OnnxModel, network: Network, preprocessing: Preprocessing, cache_dir: Path
) -> OnnxModel:
    """Return a network, quantized or not, that is shown pixels; cached.

    Its reference is what PyTorch makes of the pixels that the former inputs were, or are nearest
    to. Raises BenchError for a network that sees no images.
    """
    check_takes_pixels(network, preprocessing)
    quantization = model.quantization
    key = content_key(
        model.onnx_sha256,
        file_sha256(model.reference_path),
        file_sha256(quantization.float_onnx_path) if quantization else "",
        preprocessing,
        *map(version, ("onnx", "torch")),
        source_key(Path(__file__), Path(__file__).parent / "onnx_in_pytorch"),
    )

    def fill(directory: Path) -> None:
        inputs, _ = model.reference()
        pixels = pixels_of(_channels_last(cast(Floats, inputs), network), preprocessing)
        names = outputs_of(network)

        def answers(onnx_path: Path, path: Path) -> Outputs:
            write_with_pixels(onnx_path, preprocessing, path, last=_is_channels_last(network))
            found = _answers(path, network, pixels)
            check_finite(found, names, f"{model.name} on pixels", "PyTorch")
            return found

        found = answers(model.onnx_path, directory / _MODEL)
        save_outputs(directory / _REFERENCE, names, found, inputs=pixels)
        error = 0.0
        if quantization:
            in_float = answers(quantization.float_onnx_path, directory / "float.onnx")
            save_outputs(directory / _FLOAT_OUTPUTS, names, in_float)
            error = largest_error(found, in_float)
        (directory / _FACTS).write_text(json.dumps({"relative_l2_error": error}))

    directory = cached(cache_dir / "pixels" / f"{model.name}-{key}", fill)
    try:
        facts = json.loads((directory / _FACTS).read_text())
        digest = file_sha256(directory / _MODEL)
    except (OSError, ValueError) as error:
        raise BenchError(f"pixels {directory}: {error}; delete it to have it made anew") from error
    return replace(
        model,
        onnx_path=directory / _MODEL,
        onnx_sha256=digest,
        reference_path=directory / _REFERENCE,
        input_type=PIXELS,
        quantization=quantization
        and replace(
            quantization,
            float_onnx_path=directory / "float.onnx",
            float_outputs_path=directory / _FLOAT_OUTPUTS,
            **facts,
        ),
    )


def pixels_of(inputs: Floats, preprocessing: Preprocessing) -> Pixels:
    """Return the pixels that are normalised to inputs (N, H, W, C), or are nearest to that."""
    mean, std = (np.array(one, np.float64) for one in (preprocessing.mean, preprocessing.std))
    nearest = np.rint((inputs * std + mean) * _LARGEST)
    found: Pixels = np.clip(nearest, 0, _LARGEST).astype(np.uint8)
    return found


def write_with_pixels(
    onnx_path: Path, preprocessing: Preprocessing, path: Path, *, last: bool = False
) -> None:
    """Write the ONNX file of a network with the operators before it that normalise pixels.

    `last` is whether the network itself takes the channels last.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(onnx_path)
    graph = model.graph
    image = next(one for one in graph.input if one.name == INPUT_NAME)
    mean, std = (np.array(one, np.float64) for one in (preprocessing.mean, preprocessing.std))
    shape = (-1,) if last else (-1, 1, 1)
    constants = {
        "pixels.scale": (1 / (_LARGEST * std)).astype(np.float32).reshape(shape),
        "pixels.shift": (mean / std).astype(np.float32).reshape(shape),
    }
    for node in graph.node:
        for number, name in enumerate(node.input):
            if name == INPUT_NAME:
                node.input[number] = "pixels.normalised"
    steps = [
        *([] if last else [("Transpose", (), "pixels.planes", {"perm": _TO_PLANES})]),
        ("Cast", (), "pixels.floats", {"to": onnx.TensorProto.FLOAT}),
        ("Mul", ("pixels.scale",), "pixels.scaled", {}),
        ("Sub", ("pixels.shift",), "pixels.normalised", {}),
    ]
    nodes, read = [], INPUT_NAME
    for operator, others, written, facts in steps:
        nodes.append(helper.make_node(operator, [read, *others], [written], name=written, **facts))
        read = written
    following = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *following])
    graph.initializer.extend(numpy_helper.from_array(one, name) for name, one in constants.items())
    sides = [1, preprocessing.height, preprocessing.width, preprocessing.channels]
    image.CopyFrom(helper.make_tensor_value_info(INPUT_NAME, onnx.TensorProto.UINT8, sides))
    path.write_bytes(model.SerializeToString(deterministic=True))
    check_onnx(path)


def _is_channels_last(network: Network) -> bool:
    return isinstance(network, OnnxNetwork) and network.layout == NHWC


def _channels_last(inputs: Floats, network: Network) -> Floats:
    return inputs if _is_channels_last(network) else inputs.transpose(0, 2, 3, 1)


def _answers(path: Path, network: Network, pixels: Pixels) -> Outputs:
    """Return PyTorch's answers, or ONNX Runtime's where PyTorch has no form of an operator."""
    import onnx

    if isinstance(network, OnnxNetwork) and network.missing:
        return answers_of_onnx_runtime(onnx.load(path), network, pixels)
    return infer(path, pixels)
