import pytest

from bench.architecture import convolutions_of, round_channels, size_of
from bench.variant import Variant, parse_variant, published_grid
from reports.published import find_published


@pytest.mark.parametrize("variant", published_grid(), ids=lambda variant: variant.name)
def test_macs_are_the_published_ones(variant: Variant) -> None:
    published = find_published(variant.width_multiplier, variant.height, variant.width)
    assert published is not None
    assert int(size_of(variant).macs / 1e6) == published.macs_millions


@pytest.mark.parametrize(
    "name", ["mobilenet_v2_1.0_224", "mobilenet_v2_0.35_96", "mobilenet_v2_1.4_64_t4"]
)
def test_params_and_macs_are_those_of_the_model(name: str) -> None:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from bench.models.mobilenet_v2 import MobileNetV2

    variant = parse_variant(name)
    with torch.device("meta"), torch.no_grad():  # shapes alone
        model = MobileNetV2(variant).eval()
        with FlopCounterMode(display=False) as counter:
            model(torch.zeros(variant.input_shape))
    assert sum(parameter.numel() for parameter in model.parameters()) == size_of(variant).params
    assert counter.get_total_flops() == 2 * size_of(variant).macs


@pytest.mark.parametrize(("asked", "rounded"), [(11.2, 16), (8, 8), (3, 8), (33.6, 32), (44.8, 48)])
def test_channels_round_to_eights_but_lose_at_most_a_tenth(asked: float, rounded: int) -> None:
    assert round_channels(asked) == rounded


def test_the_largest_tensor_of_the_published_network() -> None:
    # The first expansion, 112 x 112 x 96 at float32.
    assert size_of(parse_variant("mobilenet_v2_1.0_224")).largest_tensor_bytes == 112 * 112 * 96 * 4


def test_odd_sizes_round_up_at_every_stride() -> None:
    layers = convolutions_of(parse_variant("mobilenet_v2_1.0_225x33"))
    assert (layers[0].out_height, layers[0].out_width) == (113, 17)
    assert (layers[-1].out_height, layers[-1].out_width) == (8, 2)
