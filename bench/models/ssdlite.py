"""The PyTorch reference: SSDLite on MobileNetV2, up to the raw predictions of every anchor."""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from mobilebench.bench.models.architecture import Padding, architecture_of
from mobilebench.bench.models.heads import detector_of
from mobilebench.bench.models.layers import conv_norm_relu6, depthwise, separable
from mobilebench.bench.models.mobilenet_v2 import features_of
from mobilebench.bench.models.variant import Variant

_BOX = 4  # numbers that tell a box


class SSDLite(nn.Module):
    """The detector of the paper (section 6.2): separable convolutions wherever SSD has others.

    It ends before the decoding of boxes and the choice among them, which are not a network's.
    """

    def __init__(self, variant: Variant, padding: Padding = "symmetric") -> None:
        super().__init__()
        detector = detector_of(variant)
        self.features = features_of(architecture_of(variant), padding)
        self.source = 1 + detector.source_block  # the stem comes before the blocks
        maps = detector.predictions
        self.extras = nn.ModuleList(
            nn.Sequential(
                conv_norm_relu6(before.channels, after.channels // 2, kernel=1),
                separable(after.channels // 2, after.channels, 2, padding),
            )
            for before, after in pairwise(maps[1:])
        )
        self.boxes = nn.ModuleList(_Predictor(one.channels, one.anchors, _BOX) for one in maps)
        self.classes = nn.ModuleList(
            _Predictor(one.channels, one.anchors, variant.classes) for one in maps
        )

    def forward(self, input: Tensor) -> tuple[Tensor, Tensor]:
        """Return encoded boxes (N, anchors, 4) and logits (N, anchors, classes).

        Takes (N, channels, H, W). Anchors go by feature map, row, column, and then by their number
        there.
        """
        before = self.features[: self.source](input)
        source: Any = self.features[self.source]  # PyTorch declares it as any module
        expanded = source.expand(before)
        rest = source.project(before, expanded)
        maps = [expanded, self.features[self.source + 1 :](rest)]
        for extra in self.extras:
            maps.append(extra(maps[-1]))
        boxes = [predict(one) for predict, one in zip(self.boxes, maps, strict=True)]
        classes = [predict(one) for predict, one in zip(self.classes, maps, strict=True)]
        return torch.cat(boxes, 1), torch.cat(classes, 1)


class _Predictor(nn.Module):
    """A number of values for each anchor of a feature map."""

    def __init__(self, channels: int, anchors: int, values: int) -> None:
        super().__init__()
        self.depthwise = depthwise(channels)
        self.pointwise = nn.Conv2d(channels, anchors * values, 1)
        self.values = values

    def forward(self, input: Tensor) -> Tensor:
        """Shapes: (N, C, H, W) to (N, H * W * anchors, values)."""
        predicted: Tensor = self.pointwise(self.depthwise(input))
        return predicted.permute(0, 2, 3, 1).reshape(len(input), -1, self.values)
