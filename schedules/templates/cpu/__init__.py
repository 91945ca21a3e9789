"""Templates for processors with vector registers."""

from mobilebench.schedules.templates.cpu import (
    classifier,
    concat,
    convolution,
    depthwise,
    pointwise,
    pooling,
    resize,
    stem,
)

__all__ = [
    "classifier",
    "concat",
    "convolution",
    "depthwise",
    "pointwise",
    "pooling",
    "resize",
    "stem",
]
