"""Heads that lie beside the features, or are called otherwise."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mobilebench.bench.models.find_weights import find_weights
from mobilebench.bench.models.load_model import load_model
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.targets.errors import BenchError
from tests.bench.models.checkpoints import logits, timm_state

TINY = parse_variant("mobilenet_v2_0.35_32")
FEATURES = 1280
State = dict[str, Any]


@pytest.fixture(scope="module")
def features() -> State:
    """Return the tiny variant's tensors without its classifier."""
    state = load_model(TINY, Weights(seed=3)).state_dict()
    return {name: one for name, one in state.items() if not name.startswith("classifier.")}


def prefixed(state: State, prefix: str) -> State:
    return {f"{prefix}{name}": one for name, one in state.items()}


def head(classes: int = 5) -> State:
    torch.manual_seed(1)
    return dict(nn.Linear(FEATURES, classes).state_dict())


PLACES = {
    "fc": ("", "fc."),
    "last_linear": ("", "last_linear."),
    "a sequence": ("", "head.1."),
    "beside": ("backbone.", "fc."),
    "beside, as usual": ("backbone.", "classifier."),
    "both in a wrapper": ("module.model.backbone.", "module.model.head.0."),
    "farther out": ("state_dict.net.body.", "state_dict.last_linear."),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_head_that_fits_is_read_wherever_it_is(
    place: str, features: State, tmp_path: Path
) -> None:
    body, top = PLACES[place]
    torch.save(prefixed(features, body) | prefixed(head(), top), tmp_path / "own.pth")
    weights = find_weights(str(tmp_path / "own.pth"), tmp_path)
    assert weights.classes == 5
    loaded = load_model(weights.own(TINY), weights)
    assert torch.equal(loaded.state_dict()["classifier.1.weight"], head()["weight"])
    assert torch.equal(loaded.state_dict()["classifier.1.bias"], head()["bias"])


def test_a_head_of_averaged_weights_is_theirs(features: State, tmp_path: Path) -> None:
    raw = prefixed(features, "model.net.") | prefixed(head(4), "model.fc.")
    averaged = prefixed(features, "ema.net.") | prefixed(head(5), "ema.fc.")
    torch.save(raw | averaged, tmp_path / "own.pth")
    assert find_weights(str(tmp_path / "own.pth"), tmp_path).classes == 5
    assert find_weights(f"{tmp_path / 'own.pth'}#part=model.net", tmp_path).classes == 4


def test_timm_s_features_may_have_a_head_of_their_own(tmp_path: Path) -> None:
    model = load_model(TINY, Weights(seed=3))
    state = {k.replace("classifier.", "fc."): one for k, one in timm_state(model).items()}
    torch.save(state, tmp_path / "own.pth")
    loaded = load_model(TINY, find_weights(str(tmp_path / "own.pth"), tmp_path))
    assert torch.equal(logits(loaded, TINY), logits(model, TINY))


def refusal(state: State, directory: Path) -> str:
    torch.save(state, directory / "own.pth")
    weights = find_weights(str(directory / "own.pth"), directory)
    with pytest.raises(BenchError) as refused:
        load_model(weights.own(TINY), weights)
    return str(refused.value)


def test_a_head_that_does_not_fit_is_named(features: State, tmp_path: Path) -> None:
    state = prefixed(features, "backbone.") | {"fc.weight": torch.zeros(5, 99)}
    said = refusal(state, tmp_path)
    assert "lacks classifier.1.weight and classifier.1.bias and has fc.weight, which" in said


def test_a_layer_behind_the_classifier_is_named(features: State, tmp_path: Path) -> None:
    whole = prefixed(features | prefixed(head(), "classifier."), "backbone.")
    behind = {"fc.weight": torch.zeros(2, 5), "fc.bias": torch.zeros(2)}
    assert "has fc.weight and fc.bias, which the model has not" in refusal(whole | behind, tmp_path)
