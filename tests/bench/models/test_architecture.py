import pytest

from mobilebench.bench.models.architecture import architecture_of, round_channels
from mobilebench.bench.models.size import convolutions_of
from mobilebench.bench.models.variant import parse_variant


@pytest.mark.parametrize(("asked", "rounded"), [(11.2, 16), (8, 8), (3, 8), (33.6, 32), (44.8, 48)])
def test_channels_round_to_eights_but_lose_at_most_a_tenth(asked: float, rounded: int) -> None:
    assert round_channels(asked) == rounded


@pytest.mark.parametrize(
    ("stride", "features", "dilations"), [(16, 33, [1, 2]), (8, 65, [1, 2, 4])]
)
def test_a_segmenter_dilates_where_it_does_not_stride(
    stride: int, features: int, dilations: list[int]
) -> None:
    variant = parse_variant(f"deeplabv3_mobilenet_v2_1.0_513_os{stride}")
    blocks = architecture_of(variant).blocks
    assert sorted({block.dilation for block in blocks}) == dilations
    assert convolutions_of(variant)[-1].out_height == features
    strides = [block.stride for block in blocks]
    assert 2 ** (1 + strides.count(2)) == stride
