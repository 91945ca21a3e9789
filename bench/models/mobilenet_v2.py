"""The PyTorch reference: MobileNetV2 with torchvision's module names."""

from torch import Tensor, nn

from mobilebench.bench.models.architecture import Architecture, Block, Padding, architecture_of
from mobilebench.bench.models.layers import classifier, conv_norm_relu6
from mobilebench.bench.models.variant import Variant


class InvertedResidual(nn.Module):
    """Expand, filter depthwise, project; add the input where the shapes allow it."""

    def __init__(self, block: Block, padding: Padding) -> None:
        super().__init__()
        hidden = block.hidden_channels
        layers: list[nn.Module] = []
        if block.expands:
            layers.append(conv_norm_relu6(block.in_channels, hidden, kernel=1))
        layers.append(
            conv_norm_relu6(
                hidden,
                hidden,
                kernel=3,
                stride=block.stride,
                groups=hidden,
                dilation=block.dilation,
                padding=padding,
            )
        )
        layers.append(nn.Conv2d(hidden, block.out_channels, 1, bias=False))
        layers.append(nn.BatchNorm2d(block.out_channels))
        self.conv = nn.Sequential(*layers)
        self.expands = block.expands
        self.residual = block.residual

    def forward(self, input: Tensor) -> Tensor:
        """Shapes: (N, C, H, W) to (N, C', ceil(H/stride), ceil(W/stride))."""
        return self.project(input, self.expand(input))

    def expand(self, input: Tensor) -> Tensor:
        """Return the expansion (N, hidden, H, W)."""
        expanded: Tensor = self.conv[0](input) if self.expands else input
        return expanded

    def project(self, input: Tensor, expanded: Tensor) -> Tensor:
        """Return the block's output, given its expansion."""
        output: Tensor = self.conv[1 if self.expands else 0 :](expanded)
        return input + output if self.residual else output


class MobileNetV2(nn.Module):
    """The classifier of the paper (arXiv 1801.04381, Table 2).

    Its `state_dict` has torchvision's keys: `features.0.0.weight`, `features.1.conv.0.0.weight`,
    ..., `classifier.1.bias`.
    """

    def __init__(
        self, variant: Variant, padding: Padding = "symmetric", dropout: float = 0.2
    ) -> None:
        super().__init__()
        architecture = architecture_of(variant)
        self.features = features_of(architecture, padding)
        self.classifier = classifier(
            architecture.last_channels, architecture.hidden, architecture.classes, dropout
        )

    def forward(self, input: Tensor) -> Tensor:
        """Shapes: (N, channels, H, W), normalised pixels, to (N, classes) logits."""
        features: Tensor = self.features(input)
        logits: Tensor = self.classifier(features.mean([2, 3]))
        return logits


def features_of(
    architecture: Architecture, padding: Padding, with_last: bool = True
) -> nn.Sequential:
    """Return what MobileNetV2 is up to its last pointwise convolution, or without that."""
    channels = (architecture.input_channels, architecture.stem_channels)
    features: list[nn.Module] = [conv_norm_relu6(*channels, kernel=3, stride=2, padding=padding)]
    features += [InvertedResidual(block, padding) for block in architecture.blocks]
    if with_last:
        last_in = architecture.blocks[-1].out_channels
        features.append(conv_norm_relu6(last_in, architecture.last_channels, kernel=1))
    return nn.Sequential(*features)
