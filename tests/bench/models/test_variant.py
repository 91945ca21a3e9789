import pytest

from mobilebench.bench.models.variant import Variant, parse_variant, published_grid
from mobilebench.targets.errors import BenchError


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("mobilenet_v2_1.0_224", Variant(1.0, 224, 224)),
        ("mobilenet_v2_0.35_96", Variant(0.35, 96, 96)),
        ("mobilenet_v2_1.0_192x256", Variant(1.0, 192, 256)),
        ("mobilenet_v2_0.75_160_t4", Variant(0.75, 160, 160, 4)),
        ("mobilenet_v1_0.5_128", Variant(0.5, 128, 128, network="mobilenet_v1")),
        ("ssdlite_mobilenet_v2_1.0_320", Variant(1.0, 320, 320, task="detect")),
        ("deeplabv3_mobilenet_v2_1.0_513", Variant(1.0, 513, 513, task="segment")),
        (
            "deeplabv3_mobilenet_v2_0.5_257x513_t4_os8_noaspp",
            Variant(0.5, 257, 513, 4, task="segment", output_stride=8, aspp=False),
        ),
        ("mobilenet_v2_1.0_224_c37", Variant(1.0, 224, 224, classes=37)),
        ("mobilenet_v2_1.2_224_d1.4", Variant(1.2, 224, 224, depth_multiplier=1.4)),
        (
            "deeplabv3_mobilenet_v2_0.5_65_t4_d0.5_os8_c3",
            Variant(
                0.5,
                65,
                65,
                4,
                task="segment",
                output_stride=8,
                classes=3,
                depth_multiplier=0.5,
            ),
        ),
        (
            "mobilenet_v2_1.0_224_c37_h512-128_in1",
            Variant(1.0, 224, 224, classes=37, hidden=(512, 128), channels=1),
        ),
        (
            "deeplabv3_mobilenet_v2_0.5_513_div1_noaspp",
            Variant(0.5, 513, 513, task="segment", channel_divisor=1, aspp=False),
        ),
        ("mobilenet_v2_0.5_96_t4_c1", Variant(0.5, 96, 96, 4, classes=1)),
        ("ssdlite_mobilenet_v2_1.0_300_c2", Variant(1.0, 300, 300, task="detect", classes=2)),
        (
            "deeplabv3_mobilenet_v2_1.0_513_os8_noaspp_c5",
            Variant(1.0, 513, 513, task="segment", output_stride=8, aspp=False, classes=5),
        ),
    ],
)
def test_a_name_says_everything(name: str, variant: Variant) -> None:
    assert parse_variant(name) == variant
    assert variant.name == name


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("mobilenet_v2_1_224", "mobilenet_v2_1.0_224"),
        ("mobilenet_v2_1.0_224x224", "mobilenet_v2_1.0_224"),
        ("mobilenet_v2_1.0_224_t6", "mobilenet_v2_1.0_224"),
        ("mobilenet_v2_1.0_224_c1000", "mobilenet_v2_1.0_224"),
        ("mobilenet_v2_1.0_224_d1", "mobilenet_v2_1.0_224"),
        ("mobilenet_v2_1.0_224_div8_in3", "mobilenet_v2_1.0_224"),
        ("mobilenetv2_110d", "mobilenet_v2_1.1_224_d1.2"),
        ("mobilenetv2_120d", "mobilenet_v2_1.2_224_d1.4"),
        ("mobilenetv2_050", "mobilenet_v2_0.5_224"),
        ("ssdlite_mobilenet_v2_1.0_320_c91", "ssdlite_mobilenet_v2_1.0_320"),
    ],
)
def test_other_spellings_get_the_field_s_name(given: str, name: str) -> None:
    assert parse_variant(given).name == name


@pytest.mark.parametrize("given", ["mobilenet_v2_0.01_224", "mobilenet_v2_0.1235_33x4096_t64"])
def test_a_name_is_read_back_as_the_same_variant(given: str) -> None:
    variant = parse_variant(given)
    assert parse_variant(variant.name) == variant


def test_the_published_grid_has_22_variants_with_distinct_names() -> None:
    assert len({variant.name for variant in published_grid()}) == 22


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("mobilenet_v2_0.001_224", "width multiplier must be above 0, 0.01 to"),
        ("mobilenet_v2_0.00001_224", "unknown variant"),
        ("mobilenet_v2_0_224", "width multiplier must be above 0"),
        ("mobilenet_v2_0.0_224", "width multiplier must be above 0"),
        ("mobilenet_v2_11_224", "at most 10"),
        ("mobilenet_v2_1.0_31", "31x31"),
        ("mobilenet_v2_1.0_224x31", "224x31"),
        ("mobilenet_v2_1.0_224_t0", "expansion factor"),
        ("mobilenet_v1_1.0_224_t4", "MobileNetV1 expands nothing"),
        ("mobilenet_v2_1.0_224_os8", "_os and _noaspp are for deeplabv3"),
        ("ssdlite_mobilenet_v2_1.0_320_noaspp", "_os and _noaspp are for deeplabv3"),
        ("deeplabv3_mobilenet_v2_1.0_513_os64", "output stride must be 16 or 8"),
        ("mobilenet_v2_1.0_224_d0", "depth multiplier must be 0.1 to 10; timm's are 1.2 and 1.4"),
        ("mobilenet_v2_1.0_224_d11", "depth multiplier must be 0.1 to 10"),
        ("mobilenet_v1_1.0_224_d1.2", "MobileNetV1 has no depth multiplier"),
        ("mobilenet_v1_1.0_224_div1", "MobileNetV1 rounds no channels"),
        ("mobilenet_v2_1.0_224_div0", "channels are rounded to multiples of 1 to 64"),
        ("mobilenet_v2_1.0_224_in0", "number of input channels must be 1 to 64"),
        (f"mobilenet_v2_1.0_224_h{'9-' * 8}9", "may have 8 hidden layers at most"),
        ("mobilenet_v2_1.0_224_h0", "a hidden layer must have 1 to"),
        ("ssdlite_mobilenet_v2_1.0_320_h9", r"hidden layers \(_h\) are for classifiers only"),
        ("mobilenetv2_130d", "did you mean mobilenetv2_1"),
        ("mobilenet_v2_1.0_224_c0", "number of classes must be 1 to 100000"),
        ("mobilenet_v2_1.0_224_c100001", "number of classes must be 1 to 100000"),
        ("ssdlite_mobilenet_v2_1.0_320_c1", "must be 2 to 100000, of which the first is backgr"),
        ("mobilenet_v2_1.0", "did you mean mobilenet_v2_1.0_"),
        ("mobilenet_v2_1.0_224_", "did you mean mobilenet_v2_1.0_224"),
        ("mobilenet_v2_-1.0_224", "did you mean mobilenet_v2_1.0_224"),
        ("resnet50", "unknown variant 'resnet50'"),
        ("mobilenet_v2_1.0_2\n24", "unknown variant"),
        pytest.param(f"mobilenet_v2_1.0_{'9' * 5000}", "variant", id="endless digits"),
        ("", "unknown variant ''"),
    ],
)
def test_a_bad_name_is_refused_with_what_to_do(name: str, reason: str) -> None:
    with pytest.raises(BenchError, match=reason):
        parse_variant(name)
