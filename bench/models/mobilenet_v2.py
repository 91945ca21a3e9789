"""The PyTorch reference: MobileNetV2 with torchvision's module names."""

from typing import Literal

from torch import Tensor, nn

from bench.architecture import Block, architecture_of
from bench.variant import Variant

Padding = Literal["symmetric", "same"]
"""Of the 3x3 convolutions of stride 2: `symmetric` pads 1 on every side (torchvision),
`same` pads as TensorFlow's SAME does, on an even input at the right and the bottom only."""


class SameConv2d(nn.Conv2d):
    """A convolution with TensorFlow's SAME padding.

    Shapes: (N, C, H, W) to (N, C', ceil(H/stride), ceil(W/stride)). Source: the padding rule in
    the documentation of `tf.nn`: the odd pixel goes to the right and to the bottom.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Pad by the input's own size, then convolve."""
        (top, bottom), (left, right) = (
            _same(size, kernel, stride)
            for size, kernel, stride in zip(
                input.shape[2:], self.kernel_size, self.stride, strict=True
            )
        )
        return super().forward(nn.functional.pad(input, (left, right, top, bottom)))


class InvertedResidual(nn.Module):
    """Expand, filter depthwise, project; add the input where the shapes allow it."""

    def __init__(self, block: Block, padding: Padding) -> None:
        super().__init__()
        hidden = block.hidden_channels
        layers: list[nn.Module] = []
        if block.expands:
            layers.append(_conv_norm_relu6(block.in_channels, hidden, kernel=1))
        layers.append(
            _conv_norm_relu6(
                hidden, hidden, kernel=3, stride=block.stride, groups=hidden, padding=padding
            )
        )
        layers.append(nn.Conv2d(hidden, block.out_channels, 1, bias=False))
        layers.append(nn.BatchNorm2d(block.out_channels))
        self.conv = nn.Sequential(*layers)
        self.residual = block.residual

    def forward(self, input: Tensor) -> Tensor:
        """Shapes: (N, C, H, W) to (N, C', ceil(H/stride), ceil(W/stride))."""
        output: Tensor = self.conv(input)
        return input + output if self.residual else output


class MobileNetV2(nn.Module):
    """The classifier of the paper (arXiv 1801.04381, Table 2).

    Its `state_dict` has torchvision's keys: `features.0.0.weight`, `features.1.conv.0.0.weight`,
    ..., `classifier.1.bias`.
    """

    def __init__(
        self,
        variant: Variant,
        padding: Padding = "symmetric",
        dropout: float = 0.2,
        batch_norm_epsilon: float = 1e-5,
    ) -> None:
        super().__init__()
        architecture = architecture_of(variant)
        features: list[nn.Module] = [
            _conv_norm_relu6(3, architecture.stem_channels, kernel=3, stride=2, padding=padding)
        ]
        features += [InvertedResidual(block, padding) for block in architecture.blocks]
        last_in = architecture.blocks[-1].out_channels
        features.append(_conv_norm_relu6(last_in, architecture.last_channels, kernel=1))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(architecture.last_channels, architecture.classes)
        )
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eps = batch_norm_epsilon

    def forward(self, input: Tensor) -> Tensor:
        """Shapes: (N, 3, H, W), normalised pixels, to (N, classes) logits."""
        features: Tensor = self.features(input)
        logits: Tensor = self.classifier(features.mean([2, 3]))
        return logits


def _conv_norm_relu6(
    in_channels: int,
    out_channels: int,
    *,
    kernel: int,
    stride: int = 1,
    groups: int = 1,
    padding: Padding = "symmetric",
) -> nn.Sequential:
    same = padding == "same" and stride > 1
    conv = (SameConv2d if same else nn.Conv2d)(
        in_channels,
        out_channels,
        kernel,
        stride,
        padding=0 if same else kernel // 2,
        groups=groups,
        bias=False,
    )
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels), nn.ReLU6())


def _same(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the padding before and after one dimension of `size` pixels."""
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
