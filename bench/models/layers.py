"""The layers that all networks here are made of."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from mobilebench.bench.models.architecture import Padding


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


def conv_norm_relu6(
    in_channels: int,
    out_channels: int,
    *,
    kernel: int,
    stride: int = 1,
    groups: int = 1,
    dilation: int = 1,
    padding: Padding = "symmetric",
) -> nn.Sequential:
    """Return a convolution with batch norm and ReLU6, which keeps the size but for its stride."""
    same = padding == "same" and stride > 1
    conv = (SameConv2d if same else nn.Conv2d)(
        in_channels,
        out_channels,
        kernel,
        stride,
        padding=0 if same else dilation * (kernel // 2),
        dilation=dilation,
        groups=groups,
        bias=False,
    )
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels), nn.ReLU6())


def separable(
    in_channels: int, out_channels: int, stride: int = 1, padding: Padding = "symmetric"
) -> nn.Sequential:
    """Return a depthwise 3x3 convolution and a pointwise one, each with batch norm and ReLU6."""
    return nn.Sequential(
        depthwise(in_channels, stride, padding),
        conv_norm_relu6(in_channels, out_channels, kernel=1),
    )


def depthwise(channels: int, stride: int = 1, padding: Padding = "symmetric") -> nn.Sequential:
    """Return a depthwise 3x3 convolution with batch norm and ReLU6."""
    return conv_norm_relu6(
        channels, channels, kernel=3, stride=stride, groups=channels, padding=padding
    )


def classifier(features: int, hidden: Sequence[int], classes: int, dropout: float) -> nn.Sequential:
    """Return linear layers, each after dropout, with a ReLU between them.

    Shapes: (N, features) to (N, classes). One layer has torchvision's keys, `classifier.1.weight`;
    the next ones are three further each.
    """
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise([features, *hidden, classes]):
        layers += [nn.ReLU()] if layers else []
        layers += [nn.Dropout(dropout), nn.Linear(inputs, outputs)]
    return nn.Sequential(*layers)


def _same(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the padding before and after one dimension of `size` pixels."""
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
