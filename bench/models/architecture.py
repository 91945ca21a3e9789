"""What the networks consist of, layer by layer, as plain numbers.

The PyTorch models are built from these descriptions and the MACs, parameters and activation
sizes are counted on them, so they cannot drift apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Literal

from mobilebench.bench.models.variant import CHANNEL_DIVISOR, SEGMENT, Variant

Padding = Literal["symmetric", "same"]
"""Of the 3x3 convolutions of stride 2: `symmetric` pads 1 on every side (torchvision),
`same` pads as TensorFlow's SAME does, on an even input at the right and the bottom only."""

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


def round_channels(channels: float, divisor: int = CHANNEL_DIVISOR) -> int:
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

    input_channels: int
    stem_channels: int
    blocks: tuple[Block, ...]
    last_channels: int
    hidden: tuple[int, ...]  # of the layers before the classifier's last one
    classes: int
    stages: tuple[int, ...]  # blocks of each stage, which share their number of channels


def architecture_of(variant: Variant) -> Architecture:
    """Return the channel counts of a variant's MobileNetV2, rounded as published checkpoints are.

    A segmenter's last strides are left out, and what follows is dilated instead, so that features
    are `output_stride` times smaller than the input (arXiv 1706.05587, section 3.1).
    """
    multiplier, divisor = variant.width_multiplier, variant.channel_divisor
    # timm's networks with a depth multiplier keep the stem and the last layer as they are.
    outer = multiplier if variant.depth_multiplier == 1 else 1.0
    channels = stem = round_channels(_STEM_CHANNELS * outer, divisor)
    most = variant.output_stride if variant.task == SEGMENT else 32
    reached, dilation = 2, 1
    blocks = []
    stages = tuple(_repeats(variant.depth_multiplier))
    for (expansion, stage_channels, _, first_stride), repeats in zip(_STAGES, stages, strict=True):
        factor = variant.expansion_factor if expansion is None else expansion
        out = round_channels(stage_channels * multiplier, divisor)
        for stride in (first_stride, *(1,) * (repeats - 1)):
            dilates = stride == 2 and reached == most
            taken = 1 if dilates else stride
            blocks.append(Block(channels, channels * factor, out, taken, dilation))
            reached *= taken
            if dilates:  # the first still sees its input undilated
                dilation *= stride
            channels = out
    # The last layer does not shrink below multiplier 1 (paper, section 6.1).
    last = round_channels(_LAST_CHANNELS * max(1.0, outer), divisor)
    return Architecture(
        input_channels=variant.channels,
        stem_channels=stem,
        blocks=tuple(blocks),
        last_channels=last,
        hidden=variant.hidden,
        classes=variant.classes,
        stages=stages,
    )


def _repeats(depth_multiplier: float) -> Iterator[int]:
    """Yield the blocks of each stage; the first and the last have one at any depth.

    Source: `_scale_stage_depth` of timm/models/_efficientnet_builder.py.
    """
    for index, (_, _, repeats, _) in enumerate(_STAGES):
        inner = 0 < index < len(_STAGES) - 1
        yield ceil(repeats * depth_multiplier) if inner else repeats


@dataclass(frozen=True)
class SeparableLayer:
    """A depthwise convolution and a pointwise one, each with batch norm and activation."""

    in_channels: int
    out_channels: int
    stride: int


@dataclass(frozen=True)
class V1Architecture:
    """MobileNetV1: a stem, separable convolutions, a classifier."""

    input_channels: int
    stem_channels: int
    layers: tuple[SeparableLayer, ...]
    hidden: tuple[int, ...]
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
    return V1Architecture(variant.channels, stem, tuple(layers), variant.hidden, variant.classes)


def halved(size: int) -> int:
    """Return the output size of a 3x3 convolution of stride 2, under either padding."""
    return (size + 1) // 2
