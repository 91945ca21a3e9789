"""What the shapes of a checkpoint's tensors say about its network."""

import re
from collections.abc import Collection, Mapping

from mobilebench.bench.models.checkpoint_outline import Shape

_ANCHORS = 3  # that a detector has at each place of its first map

# Names of the weights of the layer that tells classes apart, and which of their axes classes are.
_CLASSES = (
    (re.compile(r"(.*\.)?classes\.0\.pointwise\.weight"), 0, _ANCHORS),
    (re.compile(r"(.*/)?MobilenetV2/Logits/Conv2d_1c_1x1/weights(/ExponentialMovingAverage)?"),
     -1, 1),
    (re.compile(r"segmentation_head\.classifier\.convolution\.weight"), 0, 1),
    (re.compile(r"(.*\.)?classifier(\.\d+)*\.weight"), 0, 1),
)  # fmt: skip
# Names of the first convolution's weights, and which of their axes the image's channels are.
_STEM = (
    (re.compile(r"(.*\.)?features\.0\.0\.weight"), 1),
    (re.compile(r"(.*\.)?conv_stem\.(first_conv\.convolution\.)?weight"), 1),
    (re.compile(r"(.*/)?MobilenetV2/Conv/weights(/ExponentialMovingAverage)?"), 2),
)
_IMAGE_AXES = 4
# Names that only networks of a family have.
_FAMILIES = {
    "boxes.0.pointwise.weight": "ssdlite_mobilenet_v2",
    "pooled.0.weight": "deeplabv3_mobilenet_v2",
    "features.1.conv.1.weight": "mobilenet_v2",
    "features.1.1.0.weight": "mobilenet_v1",
}
_SLIM_LOGITS, _SLIM_CLASSES = "Logits/Conv2d_1c_1x1", 1001


def family_in(names: Collection[str]) -> str | None:
    """Return of which family a network under torchvision's names is; None if that is not seen."""
    if "features.0.0.weight" not in names:
        return None
    for name, family in _FAMILIES.items():
        if name in names:
            return family
    return None


def aspp_in(names: Collection[str]) -> bool | None:
    """Return whether a segmenter has a pyramid; None of other networks."""
    return "branches.1.0.weight" in names if "pooled.0.weight" in names else None


def classes_in(shapes: Mapping[str, Shape]) -> int | None:
    """Return of how many classes a network's logits are; None if that is not to be seen.

    TF-slim's 1001 are the usual 1000 and background, which is dropped when they are loaded.
    """
    for pattern, axis, times in _CLASSES:
        found = [
            (name, shape) for name, shape in shapes.items() if pattern.fullmatch(name) and shape
        ]
        if not found:
            continue
        name, shape = found[-1]
        classes, rest = divmod(shape[axis], times)
        if _SLIM_LOGITS in name and classes == _SLIM_CLASSES:
            classes -= 1
        return None if rest or not classes else classes
    return None


def channels_in(shapes: Mapping[str, Shape]) -> int | None:
    """Return how many channels a network's input has; None if that is not to be seen."""
    for pattern, axis in _STEM:
        for name, shape in shapes.items():
            if pattern.fullmatch(name) and len(shape) == _IMAGE_AXES:
                return shape[axis]
    return None
