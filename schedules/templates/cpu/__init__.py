"""Templates for processors with vector registers."""

from mobilebench.schedules.templates.cpu import (
    byte_matrix,
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
    "byte_matrix",
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
