import pytest

from mobilebench.bench.models.architecture import architecture_of
from mobilebench.bench.models.heads import outputs_of, segmenter_of
from mobilebench.bench.models.size import convolutions_of, size_of
from mobilebench.bench.models.variant import Variant, parse_variant, published_grid
from mobilebench.reports.published.figures import find_published, find_timm


@pytest.mark.parametrize("variant", published_grid(), ids=lambda variant: variant.name)
def test_macs_are_the_published_ones(variant: Variant) -> None:
    published = find_published(variant.width_multiplier, variant.height, variant.width)
    assert published is not None
    assert int(size_of(variant).macs / 1e6) == published.macs_millions


@pytest.mark.parametrize(
    "name",
    [
        "mobilenet_v2_1.0_224",
        "mobilenet_v2_0.35_96",
        "mobilenet_v2_1.4_64_t4",
        "mobilenet_v1_0.75_96",
        "ssdlite_mobilenet_v2_1.0_320",
        "ssdlite_mobilenet_v2_0.5_96x160_t1",
        "deeplabv3_mobilenet_v2_1.0_129",
        "deeplabv3_mobilenet_v2_1.0_65x129_os8",
        "deeplabv3_mobilenet_v2_0.5_64_noaspp",
        "mobilenet_v2_1.0_224_c37",
        "mobilenet_v2_0.35_96_c1",
        "mobilenet_v2_1.1_96_d1.2",
        "mobilenet_v2_0.5_96_div1_c37_h512-128_in1",
        "mobilenet_v1_0.5_96_c5_h64_in4",
        "deeplabv3_mobilenet_v2_0.5_65_div1_noaspp_in4",
        "ssdlite_mobilenet_v2_0.5_96_d1.4",
        "deeplabv3_mobilenet_v2_0.5_64_d0.5_os8",
        "mobilenet_v1_0.75_96_c1001",
        "ssdlite_mobilenet_v2_1.0_300_c2",
        "deeplabv3_mobilenet_v2_1.0_129_c5",
        "deeplabv3_mobilenet_v2_0.5_64_noaspp_c1",
    ],
)
def test_params_and_macs_are_those_of_the_model(name: str) -> None:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from mobilebench.bench.models.pytorch_reference import make_reference

    variant = parse_variant(name)
    with torch.device("meta"), torch.no_grad():  # shapes alone
        model = make_reference(variant, "symmetric").eval()
        with FlopCounterMode(display=False) as counter:
            outputs = model(torch.zeros(variant.input_shape))
    assert (
        sum(parameter.numel() for parameter in model.parameters()) == size_of(variant).params_count
    )
    assert counter.get_total_flops() == 2 * size_of(variant).macs
    shapes = [output.shape for output in (outputs if isinstance(outputs, tuple) else (outputs,))]
    assert shapes == list(outputs_of(variant).values())


@pytest.mark.parametrize(
    ("name", "blocks"),
    [("mobilenetv2_110d", (1, 3, 4, 5, 4, 4, 1)), ("mobilenetv2_120d", (1, 3, 5, 6, 5, 5, 1))],
)
def test_timm_s_deeper_networks_are_as_large_as_timm_s(name: str, blocks: tuple[int, ...]) -> None:
    variant = parse_variant(name)
    architecture, published = architecture_of(variant), find_timm(variant.name)
    assert published is not None
    assert architecture.stages == blocks
    assert (architecture.stem_channels, architecture.last_channels) == (32, 1280)
    assert round(size_of(variant).params_count / 1e6, 2) == published.params_millions


def test_tensorflow_s_deeplab_has_channels_that_are_no_multiples_of_8() -> None:
    architecture = architecture_of(parse_variant("deeplabv3_mobilenet_v2_0.5_513_div1"))
    outputs = dict.fromkeys(block.out_channels for block in architecture.blocks)
    assert [architecture.stem_channels, *outputs] == [16, 8, 12, 16, 32, 48, 80, 160]


def test_the_largest_tensor_of_the_published_network() -> None:
    # The first expansion, 112 x 112 x 96 at float32.
    assert size_of(parse_variant("mobilenet_v2_1.0_224")).largest_tensor_bytes == 112 * 112 * 96 * 4


def test_odd_sizes_round_up_at_every_stride() -> None:
    layers = convolutions_of(parse_variant("mobilenet_v2_1.0_225x33"))
    assert (layers[0].out_height, layers[0].out_width) == (113, 17)
    assert (layers[-2].out_height, layers[-2].out_width) == (8, 2)


# Paper, Tables 4, 6 and 7.
@pytest.mark.parametrize(
    ("name", "params_millions", "macs_millions"),
    [
        ("mobilenet_v1_1.0_224", 4.2, 575),
        ("mobilenet_v2_1.0_224", 3.4 + 0.034128 * 2, 300),  # with batch norms
        ("deeplabv3_mobilenet_v2_1.0_513_noaspp", 2.11, 2750),
    ],
)
def test_networks_are_as_large_as_the_paper_s(
    name: str, params_millions: float, macs_millions: float
) -> None:
    size = size_of(parse_variant(name))
    assert size.params_count / 1e6 == pytest.approx(params_millions, rel=0.02)
    assert size.macs / 1e6 == pytest.approx(macs_millions, rel=0.02)


def test_the_paper_s_detector_has_no_ids_that_name_nothing() -> None:
    usual = size_of(parse_variant("ssdlite_mobilenet_v2_1.0_320"))
    assert usual.macs / 1e6 == pytest.approx(800, rel=0.02)
    coco = size_of(parse_variant("ssdlite_mobilenet_v2_1.0_320_c81"))
    assert coco.params_count / 1e6 == pytest.approx(4.3, rel=0.02)


def test_the_paper_counts_dilated_convolutions_as_tensorflow_ran_them() -> None:
    """TensorFlow cut the padded image into pieces of whole pixels: 36 x 36, and not 33 x 33."""
    variant = parse_variant("deeplabv3_mobilenet_v2_1.0_513")
    size, head = size_of(variant), segmenter_of(variant)
    assert size.params_count / 1e6 == pytest.approx(4.52, rel=0.02)
    features = 33
    more = 0
    for rate in head.dilations:
        piece = -(-(features + 2 * rate) // rate)  # pixels of one of rate x rate pieces
        outputs = (piece - 2) ** 2 * rate**2
        more += 9 * 320 * head.channels * (outputs - features**2)
    assert (size.macs + more) / 1e9 == pytest.approx(5.8, rel=0.005)
    assert size.macs / 1e9 == pytest.approx(5.36, rel=0.005)
