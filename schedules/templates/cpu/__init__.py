"""Templates for processors with vector registers."""

from mobilebench.schedules.templates.cpu import (
    classifier,
    concat,
    convolution,
    depthwise,
    image_planes,
    image_words,
    pointwise,
    pooling,
    rescale,
    resize,
    stem,
)

__all__ = [
    "classifier",
    "concat",
    "convolution",
    "depthwise",
    "image_planes",
    "image_words",
    "pointwise",
    "pooling",
    "rescale",
    "resize",
    "stem",
]
