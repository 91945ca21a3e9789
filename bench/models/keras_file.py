"""Weights of `keras.applications.MobileNetV2`, in `.h5`, `.weights.h5` and `.keras` files.

They are given the names of TF-slim's variables, whose layout, padding, epsilon and input Keras'
network has. Source: `keras/src/applications/mobilenet_v2.py` for names of layers, and
`keras/src/saving/saving_lib.py` for files without them, where layers go by kind and number.
"""

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilebench.bench.extras import import_extra
from mobilebench.targets.errors import BenchError

Arrays = dict[str, NDArray[Any]]

H5 = b"\x89HDF\r\n\x1a\n"
KERAS_MEMBER, _CONFIG = "model.weights.h5", "config.json"
_ROOT = "MobilenetV2/"
_NAMED = re.compile(
    r"(.*/)?(?P<layer>Conv1|bn_Conv1|Conv_1|Conv_1_bn"
    r"|(?P<block>expanded_conv|block_\d+)_(?P<part>expand|depthwise|project)(_BN)?)"
    r"/(?P<variable>\w+)"
)
_DENSE = re.compile(r"(.*/)?(predictions|dense\w*|logits|classifier)/(?P<variable>kernel|bias)")
_NUMBERED = re.compile(
    r"(.*/)?(?P<kind>conv2d|depthwise_conv2d|batch_normalization|dense)(_(?P<number>\d+))?"
    r"/vars/(?P<variable>\d)"
)
_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
_DENSE_PARTS = ("kernel", "bias")
_OPTIMIZER = ("optimizer", "_optimizer")
Numbered = dict[str, dict[int, dict[int, NDArray[Any]]]]  # by kind of layer, its number, variable


def read_keras(path: Path) -> Arrays:
    """Return a Keras network's variables under TF-slim's names.

    Raises BenchError if h5py is not installed, or if the network is none of Keras' MobileNetV2.
    """
    h5py = import_extra("h5py", "keras")
    content: Any = path
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            content = BytesIO(archive.read(KERAS_MEMBER))
    found: Arrays = {}

    def keep(name: str, item: Any) -> None:
        if hasattr(item, "shape") and not name.startswith(_OPTIMIZER):
            found[re.sub(r":\d+$", "", name)] = np.asarray(item)

    with h5py.File(content, "r") as file:
        file.visititems(keep)
    numbered = any(_NUMBERED.fullmatch(name) for name in found)
    named = dict(_by_number(found, path) if numbered else _by_name(found))
    if f"{_ROOT}Conv/weights" not in named:
        raise BenchError(
            f"checkpoint {path}: its layers are not those of keras.applications.MobileNetV2, such "
            f"as {next(iter(found), 'none')}"
        )
    return named


def input_scale(path: Path) -> tuple[float, float] | None:
    """Return mean and deviation of pixels 0..1 that a `.keras` network's own first layer makes.

    That layer is a Rescaling, which a network of one's own may begin with; None if there is none.
    """
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read(_CONFIG)) if _CONFIG in archive.namelist() else {}
    for layer in _layers(config):
        if layer.get("class_name") == "Rescaling":
            scale, offset = layer["config"]["scale"], layer["config"]["offset"]
            if isinstance(scale, float) and isinstance(offset, int | float):
                std = 1 / (255 * scale)
                return round(-offset * std, 12), round(std, 12)
    return None


def _layers(found: Any) -> Iterator[dict[str, Any]]:
    if isinstance(found, dict):
        if "class_name" in found and isinstance(found.get("config"), dict):
            yield found
        for value in found.values():
            yield from _layers(value)
    elif isinstance(found, list):
        for value in found:
            yield from _layers(value)


def _by_name(found: Mapping[str, NDArray[Any]]) -> Iterator[tuple[str, NDArray[Any]]]:
    for name, array in found.items():
        if dense := _DENSE.fullmatch(name):
            yield _logits(dense["variable"], array)
        layer = _NAMED.fullmatch(name)
        if layer is None:
            continue
        scope = "Conv_1" if layer["layer"].startswith("Conv_1") else "Conv"
        if layer["block"]:
            block = layer["block"].replace("block_", "expanded_conv_")
            scope = f"{block}/{layer['part']}"
        if layer["variable"] in _NORM:
            yield f"{_ROOT}{scope}/BatchNorm/{layer['variable']}", array
        else:
            yield _kernel(scope, array)


def _by_number(found: Mapping[str, NDArray[Any]], path: Path) -> Iterator[tuple[str, NDArray[Any]]]:
    layers: Numbered = {}
    for name, array in found.items():
        if one := _NUMBERED.fullmatch(name):
            of_kind = layers.setdefault(one["kind"], {})
            of_kind.setdefault(int(one["number"] or 0), {})[int(one["variable"])] = array
    depth = len(layers.get("depthwise_conv2d", ()))
    scopes = ["Conv"]
    for number in range(depth):
        block = "expanded_conv" + (f"_{number}" if number else "")
        parts = ("depthwise", "project") if number == 0 else ("expand", "depthwise", "project")
        scopes += [f"{block}/{part}" for part in parts]
    scopes.append("Conv_1")
    kinds = {
        "batch_normalization": scopes,
        "depthwise_conv2d": [one for one in scopes if one.endswith("depthwise")],
        "conv2d": [one for one in scopes if not one.endswith("depthwise")],
        "dense": ["Logits"],
    }
    for kind, names in kinds.items():
        of_kind = layers.get(kind, {})
        if len(of_kind) not in ({len(names)} if kind != "dense" else {0, 1}):
            raise BenchError(
                f"checkpoint {path}: has {len(of_kind)} layers {kind}, MobileNetV2 {len(names)}"
            )
        for scope, number in zip(names, sorted(of_kind), strict=False):
            for variable, array in of_kind[number].items():
                if kind == "batch_normalization":
                    yield f"{_ROOT}{scope}/BatchNorm/{_NORM[variable]}", array
                elif kind == "dense":
                    yield _logits(_DENSE_PARTS[variable], array)
                else:
                    yield _kernel(scope, array)


def _kernel(scope: str, array: NDArray[Any]) -> tuple[str, NDArray[Any]]:
    return f"{_ROOT}{scope}/{'depthwise_' if scope.endswith('depthwise') else ''}weights", array


def _logits(variable: str, array: NDArray[Any]) -> tuple[str, NDArray[Any]]:
    """Return a dense layer's variable as TF-slim's convolution of 1x1 has it."""
    scope = f"{_ROOT}Logits/Conv2d_1c_1x1"
    if variable == "bias":
        return f"{scope}/biases", array
    return f"{scope}/weights", array[None, None]
