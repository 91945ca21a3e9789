"""Weights of Keras' MobileNetV2."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mobilebench.bench.models.find_weights import find_weights
from mobilebench.bench.models.load_model import load_model
from mobilebench.bench.models.variant import parse_variant
from mobilebench.targets.errors import BenchError
from tests.bench.models.checkpoints import AS_SLIM, Arrays, logits, slim_arrays

h5py = pytest.importorskip("h5py")

TINY = parse_variant("mobilenet_v2_0.35_32")
ROOT = "MobilenetV2/"
VARIABLES = ("gamma", "beta", "moving_mean", "moving_variance")
RESCALES = {"class_name": "Rescaling", "config": {"scale": 1 / 255, "offset": 0.0}}


def layers() -> Arrays:
    """Return slim's variables without the background; Keras' lie in the same way."""
    arrays = slim_arrays(load_model(TINY, AS_SLIM), TINY)
    logits_at = f"{ROOT}Logits/Conv2d_1c_1x1/"
    arrays[f"{logits_at}weights"] = arrays[f"{logits_at}weights"][0, 0, :, 1:]
    arrays[f"{logits_at}biases"] = arrays[f"{logits_at}biases"][1:]
    return arrays


def by_name(arrays: Arrays, before: str, dense: str) -> Arrays:
    """Return variables under the names of Keras' layers."""
    found = {}
    for name, array in arrays.items():
        scope, _, variable = name.removeprefix(ROOT).rpartition("/")
        scope, norm = scope.removesuffix("/BatchNorm"), variable in VARIABLES
        if scope == "Logits/Conv2d_1c_1x1":
            layer = dense
        elif "/" in scope:
            block, part = scope.split("/")
            block = block.replace("expanded_conv_", "block_")
            layer = f"{block}_{part}" + ("_BN" if norm else "")
        else:
            layer = {"Conv": ("Conv1", "bn_Conv1"), "Conv_1": ("Conv_1", "Conv_1_bn")}[scope][norm]
        variable = {"weights": "kernel", "depthwise_weights": "depthwise_kernel"}.get(
            variable, "bias" if variable == "biases" else variable
        )
        found[f"{before}{layer}/{layer}/{variable}:0"] = array
    return found


def by_number(arrays: Arrays, before: str) -> Arrays:
    """Return variables as Keras 3 saves them: layers by their kind and number."""
    counts: dict[str, int] = {}
    places: dict[tuple[str, str], str] = {}
    found = {}
    for name, array in arrays.items():
        layer, _, variable = name.rpartition("/")
        kind = {"weights": "conv2d", "depthwise_weights": "depthwise_conv2d"}.get(
            variable, "batch_normalization"
        )
        kind = "dense" if "Logits" in name else kind
        if (layer, kind) not in places:
            number = counts.get(kind, 0)
            counts[kind] = number + 1
            places[layer, kind] = f"{kind}_{number}" if number else kind
        index = VARIABLES.index(variable) if variable in VARIABLES else int(variable == "biases")
        found[f"{before}layers/{places[layer, kind]}/vars/{index}"] = array
    return found


def write(path: Path, arrays: Arrays) -> None:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


def test_every_kind_of_file_computes_what_the_network_computes(tmp_path: Path) -> None:
    arrays = layers()
    write(tmp_path / "weights.h5", by_name(arrays, "", "predictions"))
    own = by_name(arrays, "model_weights/mobilenetv2_0.35_32/", "dense_1")
    write(tmp_path / "model.h5", own | {"optimizer_weights/x/kernel:0": np.ones(3)})
    write(tmp_path / "w.weights.h5", by_number(arrays, ""))
    write(tmp_path / "model.weights.h5", by_number(arrays, "layers/functional/"))
    with zipfile.ZipFile(tmp_path / "net.keras", "w") as archive:
        archive.write(tmp_path / "model.weights.h5", "model.weights.h5")
        archive.writestr("config.json", json.dumps({"config": {"layers": [RESCALES]}}))
    expected = logits(load_model(TINY, AS_SLIM), TINY)
    for file in ("weights.h5", "model.h5", "w.weights.h5", "model.weights.h5", "net.keras"):
        weights = find_weights(str(tmp_path / file), tmp_path)
        assert (weights.padding, weights.batch_norm_epsilon, weights.classes) == (
            "same",
            1e-3,
            1000,
        )
        assert torch.equal(logits(load_model(TINY, weights), TINY), expected), file
        mean = 0.0 if file == "net.keras" else 0.5
        assert (weights.mean, weights.std[0]) == ((mean,) * 3, 1.0 if mean == 0 else 0.5)


def test_another_network_of_keras_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "resnet.h5", {"conv1_conv/conv1_conv/kernel:0": np.ones((7, 7, 3, 64))})
    with pytest.raises(BenchError, match=r"resnet\.h5: its layers are not .* such as conv1_conv"):
        find_weights(str(tmp_path / "resnet.h5"), tmp_path)
    numbered: dict[str, Any] = {"layers/conv2d/vars/0": np.ones((3, 3, 3, 8))}
    write(tmp_path / "small.weights.h5", numbered)
    with pytest.raises(BenchError, match="layers"):
        find_weights(str(tmp_path / "small.weights.h5"), tmp_path)
