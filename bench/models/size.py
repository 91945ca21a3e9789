"""What a network takes: its convolutions one by one, their MACs, parameters and outputs."""

from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod

from mobilebench.bench.models.architecture import (
    Architecture,
    V1Architecture,
    architecture_of,
    halved,
    v1_architecture_of,
)
from mobilebench.bench.models.heads import detector_of, outputs_of, segmenter_of
from mobilebench.bench.models.onnx_network import Network, OnnxNetwork
from mobilebench.bench.models.variant import DETECT, MOBILENET_V1, SEGMENT, Variant

FLOAT32_BYTES = 4


@dataclass(frozen=True)
class Convolution:
    """One convolution with its batch norm or its bias, at the size at which it runs."""

    in_channels: int
    out_channels: int
    kernel: int
    groups: int
    out_height: int
    out_width: int
    bias: bool = False  # instead of a batch norm

    @property
    def macs(self) -> int:
        """Multiply-accumulates; batch norm folds away and is not counted, nor is padding left out.

        Padding counts as it does in the paper: as if a tap outside the image were multiplied too.
        """
        return self.weights * self.out_height * self.out_width

    @property
    def weights(self) -> int:
        """Weights of the kernel."""
        return self.out_channels * (self.in_channels // self.groups) * self.kernel**2

    @property
    def params_count(self) -> int:
        """Weights, and the bias, or batch norm's scale and shift."""
        return self.weights + self.out_channels * (1 if self.bias else 2)

    @property
    def output_elements(self) -> int:
        """Elements of the output tensor."""
        return self.out_channels * self.out_height * self.out_width


@dataclass(frozen=True)
class Size:
    """What one inference of a variant takes."""

    macs: int
    params_count: int  # with batch norm's scale and shift, as torchvision counts them
    largest_tensor_bytes: int  # the largest activation, input included, at float32


def convolutions_of(variant: Variant) -> list[Convolution]:
    """Return the convolutions in running order; linear layers are some of a single pixel."""
    if variant.network == MOBILENET_V1:
        return _v1_convolutions(variant)
    layers = _backbone(variant)
    if variant.task == DETECT:
        return [*layers, *_detector_convolutions(variant)]
    if variant.task == SEGMENT:
        return [*layers[:-1], *_segmenter_convolutions(variant, layers[-2])]
    architecture = architecture_of(variant)
    return [*layers, *_classifier(architecture.last_channels, architecture)]


def size_of(variant: Network) -> Size:
    """Return MACs, parameters and the largest activation, counted on a variant's layers."""
    if isinstance(variant, OnnxNetwork):
        return Size(variant.macs, variant.params_count, variant.largest_tensor_bytes)
    layers = convolutions_of(variant)
    elements = [prod(variant.input_shape), *(layer.output_elements for layer in layers)]
    elements += map(prod, outputs_of(variant).values())
    return Size(
        macs=sum(layer.macs for layer in layers),
        params_count=sum(layer.params_count for layer in layers),
        largest_tensor_bytes=max(elements) * FLOAT32_BYTES,
    )


def _backbone(variant: Variant) -> list[Convolution]:
    architecture = architecture_of(variant)
    height, width = halved(variant.height), halved(variant.width)
    stem = (architecture.input_channels, architecture.stem_channels)
    layers = [Convolution(*stem, 3, 1, height, width)]
    for block in architecture.blocks:
        hidden = block.hidden_channels
        if block.expands:
            layers.append(Convolution(block.in_channels, hidden, 1, 1, height, width))
        if block.stride == 2:
            height, width = halved(height), halved(width)
        layers.append(Convolution(hidden, hidden, 3, hidden, height, width))
        layers.append(Convolution(hidden, block.out_channels, 1, 1, height, width))
    last_in = architecture.blocks[-1].out_channels
    return [*layers, Convolution(last_in, architecture.last_channels, 1, 1, height, width)]


def _v1_convolutions(variant: Variant) -> list[Convolution]:
    architecture = v1_architecture_of(variant)
    height, width = halved(variant.height), halved(variant.width)
    stem = (architecture.input_channels, architecture.stem_channels)
    layers = [Convolution(*stem, 3, 1, height, width)]
    for layer in architecture.layers:
        if layer.stride == 2:
            height, width = halved(height), halved(width)
        layers += _separable(layer.in_channels, layer.out_channels, height, width)
    return [*layers, *_classifier(architecture.layers[-1].out_channels, architecture)]


def _detector_convolutions(variant: Variant) -> list[Convolution]:
    detector = detector_of(variant)
    layers = []
    for before, after in zip(detector.predictions[1:], detector.predictions[2:], strict=False):
        reduced = after.channels // 2
        layers.append(Convolution(before.channels, reduced, 1, 1, before.height, before.width))
        layers += _separable(reduced, after.channels, after.height, after.width)
    for place in detector.predictions:
        for values in (4, variant.classes):
            outputs = place.anchors * values
            depthwise, pointwise = _separable(place.channels, outputs, place.height, place.width)
            layers += [depthwise, replace(pointwise, bias=True)]
    return layers


def _segmenter_convolutions(variant: Variant, features: Convolution) -> list[Convolution]:
    head = segmenter_of(variant)
    inputs, channels = features.out_channels, head.channels
    at = (features.out_height, features.out_width)
    branches = 2 + len(head.dilations)
    return [
        Convolution(inputs, channels, 1, 1, 1, 1),
        Convolution(inputs, channels, 1, 1, *at),
        *(Convolution(inputs, channels, 3, 1, *at) for _ in head.dilations),
        Convolution(branches * channels, channels, 1, 1, *at),
        Convolution(channels, variant.classes, 1, 1, *at, bias=True),
    ]


def _separable(inputs: int, outputs: int, height: int, width: int) -> list[Convolution]:
    return [
        Convolution(inputs, inputs, 3, inputs, height, width),
        Convolution(inputs, outputs, 1, 1, height, width),
    ]


def _classifier(features: int, architecture: Architecture | V1Architecture) -> list[Convolution]:
    """Return its linear layers, each as a convolution of one pixel."""
    sizes = [features, *architecture.hidden, architecture.classes]
    return [Convolution(*pair, 1, 1, 1, 1, bias=True) for pair in pairwise(sizes)]
