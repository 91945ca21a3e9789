"""What MobileNetV2 consists of, layer by layer, as plain numbers (paper, Table 2).

The PyTorch model is built from this description and the MACs, parameters and activation
sizes are counted on it, so they cannot drift apart.
"""

from dataclasses import dataclass
from math import prod

from bench.variant import CLASSES, Variant

# Expansion factor given (None: the variant's own), output channels, repeats, first stride.
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
    """The channel counts of one variant from stem to classifier."""

    stem_channels: int
    blocks: tuple[Block, ...]
    last_channels: int
    classes: int


@dataclass(frozen=True)
class Convolution:
    """One convolution with its batch norm, at the size at which it runs."""

    in_channels: int
    out_channels: int
    kernel: int
    groups: int
    out_height: int
    out_width: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates; batch norm folds away and is not counted."""
        return self.weights * self.out_height * self.out_width

    @property
    def weights(self) -> int:
        """Weights of the kernel; there is no bias before a batch norm."""
        return self.out_channels * (self.in_channels // self.groups) * self.kernel**2

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
    """Return the channel counts of a variant, rounded as the published checkpoints are."""
    multiplier = variant.width_multiplier
    channels = stem = round_channels(_STEM_CHANNELS * multiplier)
    blocks = []
    for expansion, stage_channels, repeats, first_stride in _STAGES:
        factor = variant.expansion_factor if expansion is None else expansion
        out = round_channels(stage_channels * multiplier)
        for index in range(repeats):
            blocks.append(
                Block(channels, channels * factor, out, first_stride if index == 0 else 1)
            )
            channels = out
    # The last layer does not shrink below multiplier 1 (paper, section 6.1).
    last = round_channels(_LAST_CHANNELS * max(1.0, multiplier))
    return Architecture(stem, tuple(blocks), last, CLASSES)


def convolutions_of(variant: Variant) -> list[Convolution]:
    """Return the convolutions in the order in which they run."""
    architecture = architecture_of(variant)
    height, width = _halved(variant.height), _halved(variant.width)
    layers = [Convolution(3, architecture.stem_channels, 3, 1, height, width)]
    for block in architecture.blocks:
        hidden = block.hidden_channels
        if block.expands:
            layers.append(Convolution(block.in_channels, hidden, 1, 1, height, width))
        if block.stride == 2:
            height, width = _halved(height), _halved(width)
        layers.append(Convolution(hidden, hidden, 3, hidden, height, width))
        layers.append(Convolution(hidden, block.out_channels, 1, 1, height, width))
    last_in = architecture.blocks[-1].out_channels
    layers.append(Convolution(last_in, architecture.last_channels, 1, 1, height, width))
    return layers


def size_of(variant: Variant) -> Size:
    """Count MACs, parameters and the largest activation of a variant."""
    architecture = architecture_of(variant)
    layers = convolutions_of(variant)
    classifier = architecture.last_channels * architecture.classes
    batch_norms = sum(2 * layer.out_channels for layer in layers)
    elements = [prod(variant.input_shape), *(layer.output_elements for layer in layers)]
    return Size(
        macs=sum(layer.macs for layer in layers) + classifier,
        params=sum(layer.weights for layer in layers)
        + batch_norms
        + classifier
        + architecture.classes,
        largest_tensor_bytes=max(elements) * FLOAT32_BYTES,
    )


def _halved(size: int) -> int:
    """Return the output size of a 3x3 convolution of stride 2, under either padding."""
    return (size + 1) // 2
