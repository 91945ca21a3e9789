"""Templates for processors that run work items in groups, through OpenCL."""

from schedules.templates.gpu import classifier, depthwise, pointwise, pooling, stem

__all__ = ["classifier", "depthwise", "pointwise", "pooling", "stem"]
