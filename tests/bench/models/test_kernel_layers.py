"""The layers of a classifier are those that its size is counted on."""

import pytest

from mobilebench.bench.models.kernel_layers import outline_of, outlines_of
from mobilebench.bench.models.size import convolutions_of
from mobilebench.bench.models.variant import parse_variant
from mobilebench.reports.choice.layers import POOLING


@pytest.mark.parametrize(
    "name",
    [
        "mobilenet_v2_1.0_224",
        "mobilenet_v2_0.35_96",
        "mobilenet_v2_1.4_192x256",
        "mobilenet_v2_1.2_224_d1.4",
        "mobilenet_v2_1.0_160_t1",
        "mobilenet_v2_1.0_224_c37_h512-128",
        "mobilenet_v1_1.0_224",
    ],
)
def test_layers_are_the_convolutions_one_by_one(name: str) -> None:
    variant = parse_variant(name)
    outline = outline_of(variant)
    assert outline
    layers = [layer for layer in outline.layers if layer.family != POOLING]
    convolutions = convolutions_of(variant)
    assert [layer.macs for layer in layers] == [one.macs for one in convolutions]
    assert [layer.outputs for layer in layers] == [one.output_elements for one in convolutions]
    assert [layer.weights - layer.channels for layer in layers] == [
        one.weights for one in convolutions
    ]


def test_only_classifiers_have_an_outline() -> None:
    found = outlines_of(["mobilenet_v2_1.0_224", "ssdlite_mobilenet_v2_1.0_320"])
    assert list(found) == ["mobilenet_v2_1.0_224"]
