"""Checkpoints of quantization-aware training."""

import re
from pathlib import Path

import pytest
import torch

from mobilebench.bench.models.checkpoint_qat import without_observers
from mobilebench.bench.models.find_weights import find_weights
from mobilebench.bench.models.load_model import load_model
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights
from mobilebench.targets.errors import BenchError
from tests.bench.models.checkpoints import logits

TINY = parse_variant("mobilenet_v2_0.35_32")
OBSERVER = {"scale": 1, "zero_point": 0, "activation_post_process.min_val": 1}


def prepared(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return a model's `state_dict` as `prepare_qat_fx` would have changed it."""
    found = {"activation_post_process_0.scale": torch.ones(1)}
    for name, tensor in state.items():
        layer, _, part = name.rpartition(".")
        if f"{layer}.running_mean" in state:  # fused with the convolution before
            row, _, number = layer.rpartition(".")
            found[f"{row}.{int(number) - 1}.bn.{part}"] = tensor
            continue
        found[name] = tensor
        if part == "weight":
            for value, number in OBSERVER.items():
                found[f"{layer}.weight_fake_quant.{value}"] = torch.full((1,), float(number))
    return found


def test_observers_are_dropped_and_the_row_says_so(tmp_path: Path) -> None:
    model = load_model(TINY, Weights(seed=7))
    state = prepared(model.state_dict())
    assert "features.0.0.bn.running_mean" in state
    torch.save({"model": state}, tmp_path / "qat.pth")
    weights = find_weights(str(tmp_path / "qat.pth"), tmp_path)
    (remark,) = weights.remarks
    assert re.search("quantization-aware training.*without its observers", remark)
    assert torch.equal(logits(load_model(TINY, weights), TINY), logits(model, TINY))


def test_names_are_those_that_pytorch_gives_them() -> None:
    from torch.ao.quantization import get_default_qat_qconfig_mapping
    from torch.ao.quantization.quantize_fx import prepare_qat_fx

    layers = (torch.nn.Conv2d(3, 4, 3, bias=False), torch.nn.BatchNorm2d(4), torch.nn.ReLU())
    model = torch.nn.Sequential(torch.nn.Sequential(*layers)).train()
    example = (torch.zeros(1, 3, 8, 8),)
    with pytest.warns(DeprecationWarning):
        observed = prepare_qat_fx(model, get_default_qat_qconfig_mapping("x86"), example)
    assert without_observers(observed.state_dict()).keys() == model.state_dict().keys()
    plain = model.state_dict()
    assert without_observers(plain).keys() == plain.keys()


def test_a_network_that_is_converted_already_is_refused(tmp_path: Path) -> None:
    weight = torch.quantize_per_tensor(torch.ones(16, 3, 3, 3), 0.1, 0, torch.qint8)
    torch.save({"features.0.0.weight": weight}, tmp_path / "int8.pth")
    with pytest.raises(BenchError, match=r"converted to 8 bits .*--precision int8"):
        find_weights(str(tmp_path / "int8.pth"), tmp_path)
