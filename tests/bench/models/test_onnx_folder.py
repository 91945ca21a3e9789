"""Folders as `optimum-cli export onnx` writes them."""

import json
from pathlib import Path
from typing import Any

import pytest

from mobilebench.bench.models.find_models import find_models
from mobilebench.bench.models.find_weights import assumed_of, check_takes_images, own_weights
from mobilebench.bench.models.onnx_folder import images_beside, onnx_in
from mobilebench.bench.models.own_network import read_network
from mobilebench.targets.errors import BenchError
from tests.bench.models.own_files import classifier

OPEN = ("batch_size", "num_channels", "height", "width")
CONFIG = {"model_type": "resnet", "num_channels": 3, "image_size": 16}
PROCESSOR = {
    "do_resize": True,
    "size": {"shortest_edge": 20},
    "do_center_crop": True,
    "crop_size": {"height": 16, "width": 24},
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.25, 0.25, 0.25],
}
NAMES = {"id2label": {str(number): f"bird {number}" for number in range(10)}}


def folder(
    path: Path, name: str = "model.onnx", *, beside: Path | None = None, **config: Any
) -> Path:
    """Write a folder, whose JSON files may lie in another one."""
    path.mkdir(parents=True, exist_ok=True)
    classifier(path / name, shape=OPEN)
    (beside or path).joinpath("config.json").write_text(json.dumps(CONFIG | config))
    (beside or path).joinpath("preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    return path


def test_a_folder_says_how_large_its_images_are_and_how_they_are_shown(tmp_path: Path) -> None:
    made = folder(tmp_path / "birds_1.0", **NAMES)
    (network,) = find_models([str(made)], "", tmp_path / "cache", 300)
    assert (network.name, network.input_shape) == ("birds_1.0", (1, 3, 16, 24))
    weights = own_weights(network)
    assert weights.label == f"birds_1.0@{network.sha256[:12]}"
    assert (weights.mean, weights.std, weights.resize) == ((0.5,) * 3, (0.25,) * 3, 20)
    assert weights.class_names[:2] == ("bird 0", "bird 1")
    assert assumed_of(network) == ""
    check_takes_images(network)
    # A size that is given, and a manifest, win.
    (given,) = find_models([str(made)], "1,3,32,32", tmp_path / "cache", 300)
    assert given.input_shape == (1, 3, 32, 32)
    (made / "model.toml").write_text("mean = [0.1, 0.1, 0.1]\nstd = [1.0, 1.0, 1.0]")
    assert own_weights(network).mean == (0.1, 0.1, 0.1)


def test_names_of_another_number_of_classes_are_passed_over(tmp_path: Path) -> None:
    made = folder(tmp_path / "birds", id2label={"0": "cat", "1": "dog"})
    network = read_network(onnx_in(made), None, tmp_path / "cache")
    assert own_weights(network).class_names == ()


def test_the_hub_keeps_exported_networks_in_a_folder_of_their_own(tmp_path: Path) -> None:
    folder(tmp_path / "net" / "onnx", beside=tmp_path / "net", **NAMES)
    found = onnx_in(tmp_path / "net")
    assert found == tmp_path / "net" / "onnx" / "model.onnx"
    images = images_beside(found)
    assert images is not None
    assert images.sides == (16, 24)


def test_a_folder_whose_network_is_not_told_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="without an ONNX file; give --model a file"):
        onnx_in(tmp_path)
    one = classifier(tmp_path / "one.onnx")
    assert onnx_in(tmp_path) == one
    assert images_beside(one) is None
    classifier(tmp_path / "two.onnx")
    with pytest.raises(
        BenchError, match=r"several ONNX files \(one.onnx, two.onnx\); give --model"
    ):
        onnx_in(tmp_path)
    classifier(tmp_path / "model.onnx")
    assert onnx_in(tmp_path).name == "model.onnx"


def test_a_configuration_that_is_not_understood_is_refused(tmp_path: Path) -> None:
    made = folder(tmp_path / "net", image_size="large")
    with pytest.raises(BenchError, match=r"model .*model\.onnx: config\.json .* not understood"):
        images_beside(made / "model.onnx")
    (made / "config.json").write_text("{")
    with pytest.raises(BenchError, match=r"config\.json.* cannot be read"):
        images_beside(made / "model.onnx")
