"""Templates for processors with vector registers."""

from schedules.templates.cpu import classifier, depthwise, pointwise, pooling, stem

__all__ = ["classifier", "depthwise", "pointwise", "pooling", "stem"]
