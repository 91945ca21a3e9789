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
        ("deeplabv3_mobilenet_v2_1.0_513_os32", "output stride must be 16 or 8"),
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
