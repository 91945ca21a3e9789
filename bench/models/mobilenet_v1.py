"""The PyTorch reference of MobileNetV1, with which the paper compares MobileNetV2."""

from torch import Tensor, nn

from mobilebench.bench.models.architecture import Padding, v1_architecture_of
from mobilebench.bench.models.layers import classifier, conv_norm_relu6, separable
from mobilebench.bench.models.variant import Variant


class MobileNetV1(nn.Module):
    """A stem and separable convolutions (arXiv 1704.04861, Table 1).

    Activations are ReLU6, as in TensorFlow's published checkpoints.
    """

    def __init__(
        self, variant: Variant, padding: Padding = "symmetric", dropout: float = 0.001
    ) -> None:
        super().__init__()
        architecture = v1_architecture_of(variant)
        channels = (architecture.input_channels, architecture.stem_channels)
        stem = conv_norm_relu6(*channels, kernel=3, stride=2, padding=padding)
        layers = [
            separable(layer.in_channels, layer.out_channels, layer.stride, padding)
            for layer in architecture.layers
        ]
        self.features = nn.Sequential(stem, *layers)
        last = architecture.layers[-1].out_channels
        self.classifier = classifier(last, architecture.hidden, architecture.classes, dropout)

    def forward(self, input: Tensor) -> Tensor:
        """Shapes: (N, channels, H, W), normalised pixels, to (N, classes) logits."""
        features: Tensor = self.features(input)
        logits: Tensor = self.classifier(features.mean([2, 3]))
        return logits
