"""Templates for processors with vector registers."""

from mobilebench.schedules.templates.cpu import (
    classifier,
    convolution,
    depthwise,
    join,
    pointwise,
    pooling,
    resize,
    stem,
)

__all__ = [
    "classifier",
    "convolution",
    "depthwise",
    "join",
    "pointwise",
    "pooling",
    "resize",
    "stem",
]
