"""Classifiers that were replaced in fine-tuning, and inputs of other channels."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import nn

from mobilebench.bench.models.checkpoint_head import hidden_in, linear_layers
from mobilebench.bench.models.find_weights import find_weights
from mobilebench.bench.models.load_model import load_model
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.targets.errors import BenchError
from tests.bench.models.checkpoints import logits, timm_state

TINY = parse_variant("mobilenet_v2_0.35_32")
FEATURES = 1280


def head(*sizes: int) -> list[nn.Module]:
    """Return linear layers with ReLU and dropout between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.ReLU(), nn.Dropout(0.3)] if layers else []
        layers.append(nn.Linear(inputs, outputs))
    return layers


HEADS = {
    "_c37": nn.Linear(FEATURES, 37),
    "_c5": nn.Sequential(nn.Linear(FEATURES, 5)),
    "_c1_h64": nn.Sequential(nn.Dropout(0.2), *head(FEATURES, 64, 1)),
    "_c2_h64-16": nn.Sequential(nn.Dropout(0.2), nn.Sequential(*head(FEATURES, 64, 16, 2))),
    "_h12": nn.Sequential(*head(FEATURES, 12, 1000)),
}


@pytest.mark.parametrize("ending", HEADS)
def test_a_replaced_classifier_is_read_wherever_its_layers_are(ending: str, tmp_path: Path) -> None:
    model = load_model(TINY, Weights(seed=3))
    timm = {k: v for k, v in timm_state(model).items() if not k.startswith("classifier")}
    model.classifier = HEADS[ending].eval()
    torch.save(model.state_dict(), tmp_path / "tuned.pth")
    own = {f"classifier.{name}": one for name, one in HEADS[ending].state_dict().items()}
    torch.save(timm | own, tmp_path / "timm.pth")
    for file in ("tuned.pth", "timm.pth"):
        weights = find_weights(str(tmp_path / file), tmp_path)
        variant = weights.own(TINY)
        assert variant.name == f"{TINY.name}{ending}"
        assert any("ReLU is taken to follow" in one for one in weights.remarks) == ("_h" in ending)
        loaded = load_model(variant, weights)
        torch.testing.assert_close(logits(loaded, variant), logits(model, TINY))


def test_the_first_of_two_networks_in_a_file_counts() -> None:
    shapes = {"a.classifier.0.weight": (8, 4), "a.classifier.10.weight": (2, 8)}
    twice = shapes | {name.replace("a.", "ema."): shape for name, shape in shapes.items()}
    assert linear_layers(twice) == ["a.classifier.0", "a.classifier.10"]
    assert hidden_in(twice) == (8,)
    assert hidden_in({"classifier.1.weight": (21, 256, 1, 1)}) is None  # a segmenter's


@pytest.mark.parametrize(
    ("between", "reason"),
    [
        ([], r"classifier.0 and classifier.1 have no activation between them"),
        ([nn.BatchNorm1d(9), nn.ReLU()], r"has a batch norm \(classifier.1.running_mean\)"),
    ],
)
def test_another_kind_of_head_is_refused_as_what_it_is(
    between: list[nn.Module], reason: str, tmp_path: Path
) -> None:
    model = load_model(TINY, Weights(seed=3))
    model.classifier = nn.Sequential(nn.Linear(FEATURES, 9), *between, nn.Linear(9, 3))
    torch.save(model.state_dict(), tmp_path / "tuned.pth")
    weights = find_weights(str(tmp_path / "tuned.pth"), tmp_path)
    with pytest.raises(BenchError, match=reason):
        load_model(weights.own(TINY), weights)


@pytest.mark.parametrize("channels", [1, 4])
def test_other_input_channels_need_their_mean_and_deviation(channels: int, tmp_path: Path) -> None:
    variant = parse_variant(f"mobilenet_v2_0.35_32_in{channels}")
    model = load_model(variant, Weights(seed=3))
    path = tmp_path / "own.pth"
    torch.save(model.state_dict(), path)
    with pytest.raises(BenchError, match=f"takes {channels} input channels; mean and std must be"):
        find_weights(str(path), tmp_path)
    values = [0.5] * channels
    path.with_suffix(".toml").write_text(f"mean = {values}\nstd = {values}")
    weights = find_weights(str(path), tmp_path)
    assert weights.own(TINY) == variant
    assert weights.preprocessing(variant).channels == channels
    loaded = load_model(variant, weights)
    assert torch.equal(logits(loaded, variant), logits(model, variant))


def test_a_manifest_says_the_depth_and_how_channels_are_rounded(tmp_path: Path) -> None:
    variant = parse_variant("mobilenet_v2_0.5_32_d1.4_div1_c5")
    model = load_model(variant, Weights(seed=3))
    path = tmp_path / "own.pth"
    torch.save(model.state_dict(), path)
    path.with_suffix(".toml").write_text(
        "width_multiplier = 0.5\nresolution = 32\ndepth_multiplier = 1.4\nchannel_divisor = 1"
    )
    weights = find_weights(str(path), tmp_path)
    assert weights.declared_variant
    assert weights.own(weights.declared_variant) == variant
    loaded = load_model(variant, weights)
    assert torch.equal(logits(loaded, variant), logits(model, variant))
    with pytest.raises(BenchError, match=r"has the depth multiplier 1.4, not 1.2"):
        load_model(parse_variant("mobilenet_v2_0.5_32_d1.2_div1_c5"), weights)


def test_a_name_keeps_what_it_says_and_its_width() -> None:
    weights = Weights(width_multiplier=0.5, classes=5, depth_multiplier=1.4)
    assert weights.own(TINY).name == "mobilenet_v2_0.35_32_d1.4_c5"
    assert "width multiplier 0.5, not 0.35" in weights.misfit(TINY)
