"""Templates for processors that run work items in groups, through OpenCL."""

from mobilebench.schedules.templates.gpu import (
    classifier,
    convolution,
    depthwise,
    pointwise,
    pooling,
    stem,
)

__all__ = ["classifier", "convolution", "depthwise", "pointwise", "pooling", "stem"]
