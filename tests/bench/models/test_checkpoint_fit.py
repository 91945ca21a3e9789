"""Why a checkpoint does not fit."""

import re
from pathlib import Path

import pytest
import torch

from mobilebench.bench.models.find_weights import find_weights
from mobilebench.bench.models.load_model import load_model
from mobilebench.bench.models.pytorch_reference import make_reference
from mobilebench.bench.models.variant import parse_variant
from mobilebench.targets.errors import BenchError

ASKED = parse_variant("mobilenet_v2_0.5_32")


def refusal(state: dict[str, torch.Tensor], directory: Path) -> str:
    path = directory / "other.pth"
    torch.save(state, path)
    with pytest.raises(BenchError) as refused:
        load_model(ASKED, find_weights(str(path), directory))
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    ("name", "difference"),
    [
        ("mobilenet_v2_0.35_32", "width multiplier 0.35, not 0.5: that is mobilenet_v2_0.35_32"),
        ("mobilenet_v2_0.5_32_d1.2", "it is of depth multiplier 1.2, not 1.0"),
        ("mobilenet_v2_0.5_32_t4", "it is of expansion factor 4, not 6"),
        (
            "mobilenet_v2_0.1_32_div4",
            "width multiplier 0.1, not 0.5, channels rounded to multiples of 4, not 8",
        ),
        ("mobilenet_v2_0.1_32_div2", r"not rounded to multiples of 8 \(2, 4, 6\); .*channel_div"),
        ("deeplabv3_mobilenet_v2_0.5_33", "is a deeplabv3_mobilenet_v2; it does not fit"),
        ("mobilenet_v1_0.5_32", "is a mobilenet_v1; it does not fit"),
    ],
)
def test_what_differs_is_named(name: str, difference: str, tmp_path: Path) -> None:
    state = make_reference(parse_variant(name), "symmetric").state_dict()
    half = {key: tensor.half() for key, tensor in state.items() if tensor.ndim}
    assert re.search(difference, refusal(half, tmp_path))


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("features.4.block.2.fc1.weight", "squeeze-and-excitation"),
        ("blocks.1.0.se.conv_reduce.weight", "squeeze-and-excitation"),
        ("features.3.0.block.0.0.weight", "blocks of MobileNetV3 or EfficientNet"),
        ("layer1.0.conv1.weight", "names of a ResNet"),
        ("features.denseblock1.denselayer1.conv1.weight", "names of a DenseNet"),
        ("features.0.weight", "names of a VGG"),
    ],
)
def test_another_network_of_similar_names_is_called_by_its_own(
    name: str, what: str, tmp_path: Path
) -> None:
    state = {"features.0.0.weight": torch.ones(16, 3, 3, 3), name: torch.ones(1)}
    assert what in refusal(state, tmp_path)


def test_larger_convolutions_are_no_mobilenet_v2_s(tmp_path: Path) -> None:
    state = {"conv_stem.weight": torch.ones(32, 3, 3, 3)}
    state["blocks.2.0.conv_dw.weight"] = torch.ones(144, 1, 5, 5)
    assert "has 5x5 convolutions, as EfficientNet" in refusal(state, tmp_path)
