"""What the networks consist of, layer by layer, as plain numbers.

The PyTorch models are built from these descriptions and the MACs, parameters and activation
sizes are counted on them, so they cannot drift apart.
"""

from dataclasses import dataclass, replace
from math import prod

from bench.variant import CLASSIFY, DETECT, MOBILENET_V1, SEGMENT, Variant

CLASSES = {CLASSIFY: 1000, DETECT: 91, SEGMENT: 21}
"""By task. Detection: background, then COCO's category ids up to 90, ten of which name nothing, as
TensorFlow's and torchvision's detectors have them. Segmentation: background, then VOC's twenty."""

CLASS_AXIS = {CLASSIFY: 1, DETECT: 2, SEGMENT: 1}
"""Along which axis of its last output a network tells classes apart, by task."""

# Paper, Table 2: expansion factor (None: the variant's own), output channels, repeats, first stride
_STAGES: tuple[tuple[int | None, int, int, int], ...] = (
    (1, 16, 1, 1),
    (None, 24, 2, 2),
    (None, 32, 3, 2),
    (None, 64, 4, 2),
    (None, 96, 3, 1),
    (None, 160, 3, 2),
    (None, 320, 1, 1),
)
_STEM_CHANNELS = 32
_LAST_CHANNELS = 1280
# MobileNetV1 (arXiv 1704.04861, Table 1): output channels and stride of each separable convolution.
_V1_LAYERS = (
    *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
    *((512, 1),) * 5,
    *((1024, 2), (1024, 1)),
)
FLOAT32_BYTES = 4


def round_channels(channels: float, divisor: int = 8) -> int:
    """Round to a multiple of `divisor`, never below 90 % of what was asked for.

    Source: `_make_divisible` of TensorFlow's research/slim/nets/mobilenet, which the published
    checkpoints use.
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


@dataclass(frozen=True)
class Block:
    """An inverted residual with linear bottleneck (paper, section 3.3)."""

    in_channels: int
    hidden_channels: int
    out_channels: int
    stride: int
    dilation: int = 1  # of the depthwise convolution

    @property
    def expands(self) -> bool:
        """Whether a pointwise expansion comes first; an expansion factor of 1 has none."""
        return self.hidden_channels != self.in_channels

    @property
    def residual(self) -> bool:
        """Whether the input is added to the output."""
        return self.stride == 1 and self.in_channels == self.out_channels


@dataclass(frozen=True)
class Architecture:
    """The channel counts of one variant from stem to classifier; of MobileNetV2's backbone."""

    stem_channels: int
    blocks: tuple[Block, ...]
    last_channels: int
    classes: int


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
    shrinks: bool = False  # its stride is 2

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
    def params(self) -> int:
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
    params: int  # with batch norm's scale and shift, as torchvision counts them
    largest_tensor_bytes: int  # the largest activation, input included, at float32


def architecture_of(variant: Variant) -> Architecture:
    """Return the channel counts of a variant's MobileNetV2, rounded as published checkpoints are.

    A segmenter's last strides are left out, and what follows is dilated instead, so that features
    are `output_stride` times smaller than the input (arXiv 1706.05587, section 3.1).
    """
    multiplier = variant.width_multiplier
    channels = stem = round_channels(_STEM_CHANNELS * multiplier)
    most = variant.output_stride if variant.task == SEGMENT else 32
    reached, dilation = 2, 1
    blocks = []
    for expansion, stage_channels, repeats, first_stride in _STAGES:
        factor = variant.expansion_factor if expansion is None else expansion
        out = round_channels(stage_channels * multiplier)
        for stride in (first_stride, *(1,) * (repeats - 1)):
            dilates = stride == 2 and reached == most
            taken = 1 if dilates else stride
            blocks.append(Block(channels, channels * factor, out, taken, dilation))
            reached *= taken
            if dilates:  # the first still sees its input undilated
                dilation *= stride
            channels = out
    # The last layer does not shrink below multiplier 1 (paper, section 6.1).
    last = round_channels(_LAST_CHANNELS * max(1.0, multiplier))
    return Architecture(stem, tuple(blocks), last, CLASSES[variant.task])


@dataclass(frozen=True)
class SeparableLayer:
    """A depthwise convolution and a pointwise one, each with batch norm and activation."""

    in_channels: int
    out_channels: int
    stride: int


@dataclass(frozen=True)
class V1Architecture:
    """MobileNetV1: a stem, separable convolutions, a classifier."""

    stem_channels: int
    layers: tuple[SeparableLayer, ...]
    classes: int


def v1_architecture_of(variant: Variant) -> V1Architecture:
    """Return MobileNetV1's channel counts.

    Source of the rounding: `depth` in TensorFlow's research/slim/nets/mobilenet_v1.py.
    """

    def scaled(channels: int) -> int:
        return max(int(channels * variant.width_multiplier), 8)

    stem = channels = scaled(_STEM_CHANNELS)
    layers = []
    for out, stride in _V1_LAYERS:
        layers.append(SeparableLayer(channels, scaled(out), stride))
        channels = scaled(out)
    return V1Architecture(stem, tuple(layers), CLASSES[variant.task])


@dataclass(frozen=True)
class Prediction:
    """Where a detector looks: one of its feature maps."""

    channels: int
    height: int
    width: int
    anchors: int  # at each place


@dataclass(frozen=True)
class Detector:
    """What SSDLite adds to MobileNetV2 (paper, section 6.2).

    Predictions are made on the expansion of layer 15, the last layer and each extra layer. An extra
    layer halves the map: it reduces channels to half of its own, then convolves separably.
    """

    source_block: int  # number of the block whose expansion is the first map
    extras: tuple[int, ...]  # channels of each extra layer
    predictions: tuple[Prediction, ...]

    @property
    def anchors(self) -> int:
        """How many boxes are predicted."""
        return sum(p.anchors * p.height * p.width for p in self.predictions)


_SOURCE_BLOCK = 13  # slim's layer 15: the stem is 1, blocks follow
_EXTRAS = (512, 256, 256, 128)
_FIRST_ANCHORS, _ANCHORS = 3, 6


def detector_of(variant: Variant) -> Detector:
    """Return the head of a detector.

    Source: TensorFlow's object detection API, SSDMobileNetV2FeatureExtractor with `use_depthwise`
    and the configuration ssdlite_mobilenet_v2_coco.
    """
    architecture = architecture_of(variant)
    extras = tuple(round_channels(channels * variant.width_multiplier) for channels in _EXTRAS)
    source = architecture.blocks[_SOURCE_BLOCK].hidden_channels
    height, width = variant.height, variant.width
    for _ in range(4):
        height, width = halved(height), halved(width)
    predictions = [Prediction(source, height, width, _FIRST_ANCHORS)]
    for channels in (architecture.last_channels, *extras):
        height, width = halved(height), halved(width)
        predictions.append(Prediction(channels, height, width, _ANCHORS))
    return Detector(_SOURCE_BLOCK, extras, tuple(predictions))


@dataclass(frozen=True)
class Segmenter:
    """DeepLabv3's head: image pooling and a pointwise branch, with ASPP three dilated ones too."""

    channels: int  # of each branch, and of what joins them
    dilations: tuple[int, ...]  # of the 3x3 branches


def segmenter_of(variant: Variant) -> Segmenter:
    """Return the head of a segmenter (arXiv 1706.05587, section 3.3)."""
    dilations = tuple(rate * 16 // variant.output_stride for rate in (6, 12, 18))
    return Segmenter(256, dilations if variant.aspp else ())


def outputs_of(variant: Variant) -> dict[str, tuple[int, ...]]:
    """Return the names and shapes of a variant's outputs, in order."""
    classes = CLASSES[variant.task]
    if variant.task == DETECT:
        anchors = detector_of(variant).anchors
        return {"box_encodings": (1, anchors, 4), "class_predictions": (1, anchors, classes)}
    if variant.task == SEGMENT:
        return {"logits": (1, classes, variant.height, variant.width)}
    return {"logits": (1, classes)}


def convolutions_of(variant: Variant) -> list[Convolution]:
    """Return the convolutions, and a classifier as one of a single pixel, in running order."""
    if variant.network == MOBILENET_V1:
        return _v1_convolutions(variant)
    layers = _backbone(variant)
    if variant.task == DETECT:
        return [*layers, *_detector_convolutions(variant)]
    if variant.task == SEGMENT:
        return [*layers[:-1], *_segmenter_convolutions(variant, layers[-2])]
    architecture = architecture_of(variant)
    return [*layers, _linear(architecture.last_channels, architecture.classes)]


def size_of(variant: Variant) -> Size:
    """Count MACs, parameters and the largest activation of a variant."""
    layers = convolutions_of(variant)
    elements = [prod(variant.input_shape), *(layer.output_elements for layer in layers)]
    elements += map(prod, outputs_of(variant).values())
    return Size(
        macs=sum(layer.macs for layer in layers),
        params=sum(layer.params for layer in layers),
        largest_tensor_bytes=max(elements) * FLOAT32_BYTES,
    )


def halved(size: int) -> int:
    """Return the output size of a 3x3 convolution of stride 2, under either padding."""
    return (size + 1) // 2


def _backbone(variant: Variant) -> list[Convolution]:
    architecture = architecture_of(variant)
    height, width = halved(variant.height), halved(variant.width)
    layers = [Convolution(3, architecture.stem_channels, 3, 1, height, width, shrinks=True)]
    for block in architecture.blocks:
        hidden = block.hidden_channels
        if block.expands:
            layers.append(Convolution(block.in_channels, hidden, 1, 1, height, width))
        shrinks = block.stride == 2
        if shrinks:
            height, width = halved(height), halved(width)
        layers.append(Convolution(hidden, hidden, 3, hidden, height, width, shrinks=shrinks))
        layers.append(Convolution(hidden, block.out_channels, 1, 1, height, width))
    last_in = architecture.blocks[-1].out_channels
    return [*layers, Convolution(last_in, architecture.last_channels, 1, 1, height, width)]


def _v1_convolutions(variant: Variant) -> list[Convolution]:
    architecture = v1_architecture_of(variant)
    height, width = halved(variant.height), halved(variant.width)
    layers = [Convolution(3, architecture.stem_channels, 3, 1, height, width, shrinks=True)]
    for layer in architecture.layers:
        if layer.stride == 2:
            height, width = halved(height), halved(width)
        layers += _separable(layer.in_channels, layer.out_channels, height, width, layer.stride)
    return [*layers, _linear(architecture.layers[-1].out_channels, architecture.classes)]


def _detector_convolutions(variant: Variant) -> list[Convolution]:
    detector = detector_of(variant)
    layers = []
    for before, after in zip(detector.predictions[1:], detector.predictions[2:], strict=False):
        reduced = after.channels // 2
        layers.append(Convolution(before.channels, reduced, 1, 1, before.height, before.width))
        layers += _separable(reduced, after.channels, after.height, after.width, stride=2)
    for place in detector.predictions:
        for values in (4, CLASSES[DETECT]):
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
        Convolution(channels, CLASSES[SEGMENT], 1, 1, *at, bias=True),
    ]


def _separable(
    inputs: int, outputs: int, height: int, width: int, stride: int = 1
) -> list[Convolution]:
    shrinks = stride == 2
    return [
        Convolution(inputs, inputs, 3, inputs, height, width, shrinks=shrinks),
        Convolution(inputs, outputs, 1, 1, height, width),
    ]


def _linear(inputs: int, outputs: int) -> Convolution:
    return Convolution(inputs, outputs, 1, 1, 1, 1, bias=True)
