from pathlib import Path

import pytest
import torch

from mobilebench.bench.models.layers import Padding
from mobilebench.bench.models.load_model import load_model
from mobilebench.bench.models.mobilenet_v2 import MobileNetV2
from mobilebench.bench.models.variant import parse_variant
from mobilebench.bench.models.weights import Weights

TINY = parse_variant("mobilenet_v2_0.35_32")


def test_state_dict_has_torchvision_s_keys() -> None:
    expected = Path(__file__).with_name("torchvision_keys.txt").read_text().split()
    assert list(MobileNetV2(TINY).state_dict()) == expected


@pytest.mark.parametrize("padding", ["symmetric", "same"])
@pytest.mark.parametrize(("size", "last"), [(32, 1), (33, 2), (224, 7), (225, 8)])
def test_both_paddings_give_the_same_sizes(padding: Padding, size: int, last: int) -> None:
    with torch.device("meta"), torch.inference_mode():  # shapes alone
        model = MobileNetV2(parse_variant(f"mobilenet_v2_0.35_{size}"), padding).eval()
        assert model.features(torch.zeros(1, 3, size, size)).shape[2:] == (last, last)


def test_same_padding_matches_tensorflow() -> None:
    # On an even input TensorFlow pads at the right and the bottom only.
    torch.manual_seed(0)
    model = MobileNetV2(TINY, "same").eval()
    stem = model.features[0][0]
    image = torch.randn(1, 3, 32, 32)
    padded = torch.nn.functional.pad(image, (0, 1, 0, 1))
    expected = torch.nn.functional.conv2d(padded, stem.weight, stride=2)
    torch.testing.assert_close(stem(image), expected)


def test_paddings_differ_in_what_they_compute() -> None:
    symmetric = load_model(TINY, Weights(padding="symmetric"))
    same = load_model(TINY, Weights(padding="same"))
    image = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert not torch.allclose(symmetric(image), same(image))


def test_dropout_is_active_in_training_only() -> None:
    model = MobileNetV2(TINY, dropout=0.5)
    features = torch.ones(4, model.classifier[1].in_features)
    model.train()
    assert not torch.equal(model.classifier(features), model.classifier(features))
    model.eval()
    assert torch.equal(model.classifier(features), model.classifier(features))
