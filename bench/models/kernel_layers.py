"""The layers of a classifier as the compiler makes kernels of them."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

from mobilebench.bench.models.architecture import architecture_of, halved, v1_architecture_of
from mobilebench.bench.models.size import size_of
from mobilebench.bench.models.variant import CLASSIFY, MOBILENET_V1, Variant, parse_variant
from mobilebench.reports.choice.estimate import Outline
from mobilebench.reports.choice.layers import (
    CLASSIFIER,
    DEPTHWISE,
    POINTWISE,
    POOLING,
    STEM,
    Layer,
)


def outlines_of(names: Iterable[str]) -> dict[str, Outline]:
    """Return the outlines of those variants that have one, by name."""
    found = {name: outline_of(parse_variant(name)) for name in names}
    return {name: outline for name, outline in found.items() if outline}


def outline_of(variant: Variant) -> Outline | None:
    """Return what is known of a variant without measuring it; None but for classifiers."""
    if variant.task != CLASSIFY:
        return None
    size = size_of(variant)
    layers = _v1_layers(variant) if variant.network == MOBILENET_V1 else _layers(variant)
    return Outline(
        variant.name,
        variant.height,
        variant.width,
        tuple(layers),
        size.params_count,
        size.largest_tensor_bytes,
    )


def _layers(variant: Variant) -> Iterator[Layer]:
    architecture = architecture_of(variant)
    height, width = halved(variant.height), halved(variant.width)
    yield Layer(STEM, height, width, variant.channels, architecture.stem_channels, 2)
    for block in architecture.blocks:
        hidden = block.hidden_channels
        if block.expands:
            yield Layer(POINTWISE, height, width, block.in_channels, hidden)
        if block.stride == 2:
            height, width = halved(height), halved(width)
        yield Layer(DEPTHWISE, height, width, hidden, hidden, block.stride)
        yield Layer(POINTWISE, height, width, hidden, block.out_channels, 1, block.residual)
    last = architecture.blocks[-1].out_channels
    yield Layer(POINTWISE, height, width, last, architecture.last_channels)
    features = (architecture.last_channels, *architecture.hidden, architecture.classes)
    yield from _classifier(height, width, features)


def _v1_layers(variant: Variant) -> Iterator[Layer]:
    architecture = v1_architecture_of(variant)
    height, width = halved(variant.height), halved(variant.width)
    yield Layer(STEM, height, width, variant.channels, architecture.stem_channels, 2)
    for layer in architecture.layers:
        if layer.stride == 2:
            height, width = halved(height), halved(width)
        inputs = layer.in_channels
        yield Layer(DEPTHWISE, height, width, inputs, inputs, layer.stride)
        yield Layer(POINTWISE, height, width, inputs, layer.out_channels)
    features = (architecture.layers[-1].out_channels, *architecture.hidden, architecture.classes)
    yield from _classifier(height, width, features)


def _classifier(height: int, width: int, features: tuple[int, ...]) -> Iterator[Layer]:
    yield Layer(POOLING, height, width, features[0], features[0])
    for inputs, outputs in pairwise(features):
        yield Layer(CLASSIFIER, 1, 1, inputs, outputs)
