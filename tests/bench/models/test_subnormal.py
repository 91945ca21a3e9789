"""Subnormal weights of checkpoints."""

from pathlib import Path

import torch

from mobilebench.bench.models.find_weights import find_weights
from mobilebench.bench.models.load_model import load_flushed, load_model
from mobilebench.bench.models.subnormal import flush_subnormals
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights

TINY = parse_variant("mobilenet_v2_0.35_32")
STEM = "features.0.0.weight"


def test_they_are_set_to_zero_and_counted(tmp_path: Path) -> None:
    state = load_model(TINY, Weights(seed=7)).state_dict()
    kept = state[STEM].clone()
    state[STEM][0] = 1e-40
    state["features.0.1.weight"][1] = -1e-39
    state["features.0.1.bias"][:3] = torch.tensor([0.0, 1.2e-38, 3.0])
    torch.save(state, tmp_path / "decayed.pth")
    model, flushed = load_flushed(TINY, find_weights(str(tmp_path / "decayed.pth"), tmp_path))
    assert flushed == 27 + 1
    found = model.state_dict()
    assert (found[STEM][0] == 0).all()
    assert torch.equal(found[STEM][1:], kept[1:])
    assert found["features.0.1.weight"][1] == 0
    assert found["features.0.1.bias"][1] == torch.tensor(1.2e-38)
    assert found["features.0.1.bias"][2] == 3


def test_they_are_found_where_the_processor_flushes_them() -> None:
    model = load_model(TINY, Weights(seed=7))
    model.state_dict()[STEM][0] = 1e-40
    torch.set_flush_denormal(True)
    try:
        assert flush_subnormals(model) == 27
    finally:
        torch.set_flush_denormal(False)


def test_other_models_are_left_as_they_are() -> None:
    assert flush_subnormals(load_model(TINY, Weights(seed=7))) == 0
