"""What a checkpoint says about its network, read from its shapes alone."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mobilebench.bench.models.checkpoint_outline import Shape, read_outline
from mobilebench.bench.models.checkpoint_shapes import classes_in
from mobilebench.bench.models.find_weights import find_weights
from mobilebench.bench.models.load_model import load_model
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.targets.errors import BenchError
from tests.bench.models.checkpoints import logits, timm_state


def read_shapes(path: Path) -> dict[str, Shape]:
    return {name: one.shape for name, one in read_outline(path).tensors.items()}


class Executes:
    """Would make a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def test_shapes_are_those_of_the_tensors_in_every_kind_of_file(tmp_path: Path) -> None:
    state = {"features.0.weight": torch.zeros(8, 3, 3, 3), "classifier.1.bias": torch.zeros(37)}
    torch.save(state, tmp_path / "zip.pth")
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    torch.save({name: torch.nn.Parameter(one) for name, one in state.items()}, tmp_path / "par.pt")
    save_file(state, tmp_path / "some.safetensors")
    np.savez(tmp_path / "some.npz", **{name: one.numpy() for name, one in state.items()})  # type: ignore[arg-type]
    expected = {"features.0.weight": (8, 3, 3, 3), "classifier.1.bias": (37,)}
    for file in ("zip.pth", "old.pth", "par.pt", "some.safetensors", "some.npz"):
        assert read_shapes(tmp_path / file) == expected


def test_nothing_of_a_checkpoint_is_executed(tmp_path: Path) -> None:
    made = tmp_path / "made"
    torch.save({"model": {"a": torch.zeros(2)}, "args": Executes(made)}, tmp_path / "some.pth")
    assert read_shapes(tmp_path / "some.pth") == {"model.a": (2,)}
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Executes(made)))
    assert read_shapes(tmp_path / "plain.pth") == {}
    assert not made.exists()


@pytest.mark.parametrize("classes", [1, 2, 5, 37, 1001])
def test_a_checkpoint_tells_its_classes(classes: int, tmp_path: Path) -> None:
    head = {"classifier.1.weight": torch.zeros(classes, 1280), "classifier.1.bias": torch.zeros(1)}
    parallel = {f"module.{name}": one for name, one in head.items()}
    detector = {"classes.0.pointwise.weight": torch.zeros(3 * classes, 576, 1, 1)}
    segmenter = {"classifier.1.weight": torch.zeros(classes, 256, 1, 1)}
    for state in (
        head,
        {"epoch": 3, "optimizer": {"state": {0: torch.zeros(9)}}, "state_dict": parallel},
        {"classifier.weight": torch.zeros(classes, 1280)},
        detector,
        segmenter,
    ):
        torch.save(state, tmp_path / "own.pth")
        assert classes_in(read_shapes(tmp_path / "own.pth")) == classes


def test_slim_s_background_is_no_class_of_its_own(tmp_path: Path) -> None:
    name = "MobilenetV2/Logits/Conv2d_1c_1x1/weights"
    assert classes_in({name: (1, 1, 1280, 1001)}) == 1000
    assert classes_in({name: (1, 1, 1280, 38)}) == 38


@pytest.mark.parametrize("classes", [1, 37])
def test_a_network_of_the_checkpoint_s_classes_is_loaded(classes: int, tmp_path: Path) -> None:
    variant = parse_variant(f"mobilenet_v2_0.35_32_c{classes}")
    model = load_model(variant, Weights(seed=7))
    torch.save(model.state_dict(), tmp_path / "own.pth")
    torch.save(timm_state(model), tmp_path / "timm.pth")
    for file in ("own.pth", "timm.pth"):
        weights = find_weights(str(tmp_path / file), tmp_path)
        assert weights.own(parse_variant("mobilenet_v2_0.35_32")) == variant
        loaded = load_model(variant, weights)
        assert torch.equal(logits(loaded, variant), logits(model, variant))
        other = parse_variant("mobilenet_v2_0.35_32_c9")
        assert weights.own(other) == other
        with pytest.raises(BenchError, match=f"has {classes} classes, not 9"):
            load_model(other, weights)


def test_a_manifest_may_say_the_classes_and_must_be_right(tmp_path: Path) -> None:
    torch.save({"classifier.1.weight": torch.zeros(5, 1280)}, tmp_path / "own.pth")
    (tmp_path / "own.toml").write_text("classes = 5")
    assert find_weights(str(tmp_path / "own.pth"), tmp_path).classes == 5
    (tmp_path / "own.toml").write_text("classes = 6")
    with pytest.raises(BenchError, match="classes is 6, the checkpoint has 5; correct it"):
        find_weights(str(tmp_path / "own.pth"), tmp_path)
