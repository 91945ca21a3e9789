"""The figures that tell how accurate a network of each task is."""

import math
from dataclasses import dataclass

from mobilebench.reports.published.figures import PAPER, SOURCE, TIMM


@dataclass(frozen=True)
class Figure:
    """One figure of a task: the columns `COLUMN_percent` and `pytorch_COLUMN_percent`."""

    name: str
    column: str


@dataclass(frozen=True)
class AccuracyMetrics:
    """The figures of a task's accuracy; the first one is the main figure."""

    task: str
    title: str
    plot: str
    figures: tuple[Figure, ...]
    interval: str  # whose intervals are shown
    agreement: str  # what is PyTorch's too
    published: str


METRICS = (
    AccuracyMetrics(
        "classify",
        "Accuracy",
        "accuracy-by-latency",
        (Figure("top-1", "top1"), Figure("top-5", "top5")),
        "Wilson",
        "images with the same top class",
        f"{SOURCE} (MobileNetV1: {PAPER}; depth multipliers: {TIMM}), on ImageNet's 50,000 "
        "validation images",
    ),
    AccuracyMetrics(
        "detect",
        "Accuracy of detectors",
        "map-by-latency",
        (Figure("mAP", "map"), Figure("mAP50", "map50")),
        "bootstrap",
        "detections with a score above 0.3 that both have, by category and at an IoU of 0.9",
        f"{PAPER}, on COCO's test-dev",
    ),
    AccuracyMetrics(
        "segment",
        "Accuracy of segmenters",
        "miou-by-latency",
        (Figure("mIoU", "miou"),),
        "bootstrap",
        "labelled pixels with the same class",
        f"{PAPER}, on VOC 2012's validation images",
    ),
)


def metrics_of(task: str) -> AccuracyMetrics | None:
    """Return the figures of a task; None of one whose accuracy nobody measures."""
    return next((measure for measure in METRICS if measure.task == task), None)


def wilson_interval(percent: float, count: float) -> tuple[float, float]:
    """Return the 95 % interval of a share of so many, both in percent.

    E. B. Wilson, Journal of the American Statistical Association 22 (1927) 209-212.
    """
    share, z2 = percent / 100, 1.959964**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = math.sqrt(z2 * (share * (1 - share) / count + z2 / (4 * count**2))) / (1 + z2 / count)
    return 100 * max(0.0, middle - half), 100 * min(1.0, middle + half)
