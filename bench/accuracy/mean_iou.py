"""How much of each class a segmenter covers: mean intersection over union."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mobilebench.bench.accuracy.bootstrap import bootstrap_interval
from mobilebench.bench.accuracy.masks import IGNORED, Labels
from mobilebench.bench.models.outputs import Floats, top_class
from mobilebench.bench.models.variant import CLASSES, SEGMENT

NO_CLASS = 255  # the answer in a pixel of which a logit is not finite

Confusion = NDArray[np.int64]


@dataclass(frozen=True)
class SegmentationAccuracy:
    """What was covered, of how many images."""

    images: int
    miou_percent: float  # mean over classes that were there or were answered
    miou_ci95_low_percent: float | None  # bootstrap over images; None of one image
    miou_ci95_high_percent: float | None
    images_agreement: float  # share of labelled pixels with the same class as PyTorch's, 0..1


def label(logits: Floats) -> Labels:
    """Return the class of each pixel (N, H, W) of logits (N, classes, H, W).

    Of equal logits the first counts; where one is not finite there is no class.
    """
    finite = np.isfinite(logits).all(axis=1)
    return np.where(finite, top_class(logits, 1), NO_CLASS).astype(np.uint8)


def confusion(answer: Labels, truth: Labels, classes: int = CLASSES[SEGMENT]) -> Confusion:
    """Count pixels by true class and answered class (classes, classes + 1).

    Ignored pixels are left out. The last column is of pixels without an answer.
    """
    labelled, answers = truth != IGNORED, classes + 1
    pairs = truth[labelled].astype(np.int64) * answers + np.minimum(answer[labelled], classes)
    return np.bincount(pairs, minlength=classes * answers).reshape(classes, answers)


def intersection_over_union(counts: Confusion) -> NDArray[np.float64]:
    """Return each class's (classes,), of a confusion of so many; NaN of one that is nowhere."""
    right = counts.diagonal()
    union = counts.sum(axis=1) + counts.sum(axis=0)[: len(counts)] - right
    return np.where(union > 0, right / np.maximum(union, 1), np.nan)


def miou_percent(counts: Confusion) -> float:
    """Return the mean over classes that are there or were answered; NaN if nothing is labelled."""
    return 100 * float(np.nanmean(intersection_over_union(counts))) if counts.any() else np.nan


def one_class_percent(counts: Confusion) -> float:
    """Return the mIoU of whoever answers the most frequent class everywhere."""
    there = counts.sum(axis=1)
    return 100 * float(there.max() / max(1, there.sum()) / max(1, np.count_nonzero(there)))


def score_segmentation(
    answers: Iterable[tuple[Labels, Labels, Labels]], classes: int = CLASSES[SEGMENT]
) -> SegmentationAccuracy:
    """Count what is right, image by image: the answer, PyTorch's answer and the truth (H, W).

    The confusions of all images are added before classes are compared, as VOC and DeepLab's
    evaluation have it.
    """
    counts, same = [], 0
    for answer, reference, truth in answers:
        counts.append(confusion(answer, truth, classes))
        same += _same(answer, reference, truth)
    by_image = np.stack(counts)  # (images, classes, classes + 1)

    def of_draw(draw: NDArray[np.int64]) -> float:
        # An image without a label can be drawn alone.
        return miou_percent(np.tensordot(draw, by_image, axes=1))

    low, high = bootstrap_interval(len(by_image), of_draw)
    return SegmentationAccuracy(
        images=len(by_image),
        miou_percent=miou_percent(by_image.sum(axis=0)),
        miou_ci95_low_percent=low,
        miou_ci95_high_percent=high,
        images_agreement=same / max(1, int(by_image.sum())),
    )


def _same(answer: Labels, reference: Labels, truth: Labels) -> int:
    """Count the labelled pixels that have the same class in both."""
    same = (answer == reference) & (answer != NO_CLASS) & (truth != IGNORED)
    return int(same.sum())
