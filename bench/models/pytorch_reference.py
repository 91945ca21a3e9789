"""Which PyTorch module is a variant's reference."""

from torch import nn

from mobilebench.bench.models.architecture import Padding
from mobilebench.bench.models.deeplab import DeepLabV3
from mobilebench.bench.models.mobilenet_v1 import MobileNetV1
from mobilebench.bench.models.mobilenet_v2 import MobileNetV2
from mobilebench.bench.models.ssdlite import SSDLite
from mobilebench.bench.models.variant import (
    CLASSIFY,
    DETECT,
    MOBILENET_V1,
    MOBILENET_V2,
    SEGMENT,
    Variant,
)

_MODULES: dict[tuple[str, str], type[nn.Module]] = {
    (MOBILENET_V1, CLASSIFY): MobileNetV1,
    (MOBILENET_V2, CLASSIFY): MobileNetV2,
    (MOBILENET_V2, DETECT): SSDLite,
    (MOBILENET_V2, SEGMENT): DeepLabV3,
}


def make_reference(
    variant: Variant, padding: Padding, batch_norm_epsilon: float = 1e-5
) -> nn.Module:
    """Return the network with PyTorch's initial weights; it takes (N, 3, H, W)."""
    model = _MODULES[variant.network, variant.task](variant, padding)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = batch_norm_epsilon
    return model
