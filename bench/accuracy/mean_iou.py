"""How much of each class a segmenter covers: mean intersection over union."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mobilebench.bench.accuracy.bootstrap import bootstrap_interval
from mobilebench.bench.accuracy.voc import IGNORED, Labels
from mobilebench.bench.models.architecture import CLASSES
from mobilebench.bench.models.outputs import Floats
from mobilebench.bench.models.variant import SEGMENT

NO_CLASS = 255  # the answer in a pixel of which a logit is not finite
_CLASSES = CLASSES[SEGMENT]
_ANSWERS = _CLASSES + 1  # the last: no class

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
    return np.where(finite, logits.argmax(axis=1), NO_CLASS).astype(np.uint8)


def confusion(answer: Labels, truth: Labels) -> Confusion:
    """Count pixels by true class and answered class (21, 22); ignored pixels are left out.

    The last column is of pixels without an answer.
    """
    labelled = truth != IGNORED
    pairs = truth[labelled].astype(np.int64) * _ANSWERS + np.minimum(answer[labelled], _CLASSES)
    return np.bincount(pairs, minlength=_CLASSES * _ANSWERS).reshape(_CLASSES, _ANSWERS)


def intersection_over_union(counts: Confusion) -> NDArray[np.float64]:
    """Return each class's (21,), of a confusion (21, 22); NaN of one that is nowhere."""
    right = counts.diagonal()
    union = counts.sum(axis=1) + counts.sum(axis=0)[:_CLASSES] - right
    return np.where(union > 0, right / np.maximum(union, 1), np.nan)


def score_segmentation(
    answers: Iterable[tuple[Labels, Labels, Labels]],
) -> SegmentationAccuracy:
    """Count what is right, image by image: the answer, PyTorch's answer and the truth (H, W).

    The confusions of all images are added before classes are compared, as VOC and DeepLab's
    evaluation have it.
    """
    counts, same = [], 0
    for answer, reference, truth in answers:
        counts.append(confusion(answer, truth))
        same += _same(answer, reference, truth)
    by_image = np.stack(counts)  # (images, 21, 22)

    def miou_percent(draw: NDArray[np.int64]) -> float:
        total = np.tensordot(draw, by_image, axes=1)
        # An image without a label can be drawn alone.
        return 100 * float(np.nanmean(intersection_over_union(total))) if total.any() else np.nan

    low, high = bootstrap_interval(len(by_image), miou_percent)
    return SegmentationAccuracy(
        images=len(by_image),
        miou_percent=miou_percent(np.ones(len(by_image), np.int64)),
        miou_ci95_low_percent=low,
        miou_ci95_high_percent=high,
        images_agreement=same / max(1, int(by_image.sum())),
    )


def _same(answer: Labels, reference: Labels, truth: Labels) -> int:
    """Count the labelled pixels that have the same class in both."""
    same = (answer == reference) & (answer != NO_CLASS) & (truth != IGNORED)
    return int(same.sum())
