"""The PyTorch reference: DeepLabv3 on MobileNetV2."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from mobilebench.bench.models.architecture import Padding, architecture_of
from mobilebench.bench.models.heads import segmenter_of
from mobilebench.bench.models.mobilenet_v2 import features_of
from mobilebench.bench.models.variant import Variant


class DeepLabV3(nn.Module):
    """The segmenter of the paper (section 6.3), on the 320-channel features.

    Source of the head: arXiv 1706.05587, section 3.3, and TensorFlow's research/deeplab, whose
    resizing aligns corners: an input of 513 pixels is 32 times 16 pixels, and one.
    """

    def __init__(self, variant: Variant, padding: Padding = "symmetric") -> None:
        super().__init__()
        architecture, head = architecture_of(variant), segmenter_of(variant)
        inputs, channels = architecture.blocks[-1].out_channels, head.channels
        self.features = features_of(architecture, padding, with_last=False)
        self.pooled = _branch(inputs, channels)
        self.branches = nn.ModuleList(
            [_branch(inputs, channels), *(_branch(inputs, channels, d) for d in head.dilations)]
        )
        self.join = _branch((1 + len(self.branches)) * channels, channels)
        self.classifier = nn.Sequential(
            nn.Dropout(0.1), nn.Conv2d(channels, variant.classes, kernel_size=1)
        )

    def forward(self, input: Tensor) -> Tensor:
        """Shapes: (N, channels, H, W), normalised pixels, to (N, classes, H, W) logits."""
        features = self.features(input)
        pooled = self.pooled(features.mean([2, 3], keepdim=True))
        seen = [_resize(pooled, features), *(branch(features) for branch in self.branches)]
        return _resize(self.classifier(self.join(torch.cat(seen, 1))), input)


def _resize(input: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(input, like.shape[2:], mode="bilinear", align_corners=True)


def _branch(inputs: int, outputs: int, dilation: int = 0) -> nn.Sequential:
    """Return a pointwise convolution, or a dilated one of 3x3, with batch norm and ReLU."""
    kernel, padding = (3, dilation) if dilation else (1, 0)
    conv = nn.Conv2d(inputs, outputs, kernel, padding=padding, dilation=dilation or 1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())
