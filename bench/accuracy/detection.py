"""What a detector finds, and how much of it PyTorch finds too."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from mobilebench.bench.accuracy.average_precision import DetectionAccuracy, score_detections
from mobilebench.bench.accuracy.boxes import Detections, Suppression, anchors_of, decode, detect
from mobilebench.bench.accuracy.coco import CocoDataset, preprocess, read
from mobilebench.bench.accuracy.doubts import LEAST_IMAGES
from mobilebench.bench.models.outputs import Floats, Outputs
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.bench.models.variant import Variant

__all__ = ["BATCH", "answer", "doubts", "max_box_error_px", "preprocess", "read", "score"]

BATCH = 25  # images that are in memory at once
SHOWN = 0.3  # scores above are what TensorFlow's exported detectors show
SAME_IOU = 0.9  # boxes that overlap by less are two
_LEAST_PERCENT = 1.0  # of mAP50; boxes drawn at random have less
_REGARDLESS_PERCENT = 5.0  # of mAP50 without regard to categories: boxes are where objects are
_NUMBERS = 6  # of a detection: its box, its score, its category


def answer(outputs: Outputs, variant: Variant) -> Floats:
    """Return what is left after suppression (N, 100, 6), best first.

    Numbers are ymin, xmin, ymax, xmax, score and category; a category of 0 is no detection.
    """
    boxes, classes = outputs
    found = detect(boxes, classes, anchors_of(variant))
    rows = np.zeros((len(found), Suppression().in_all, _NUMBERS), np.float32)
    for place, one in zip(rows, found, strict=True):
        place[: len(one.scores)] = np.column_stack([one.boxes, one.scores, one.classes])
    return rows


def score(
    answers: Iterable[Floats],
    reference: Floats,
    dataset: CocoDataset,
    _preprocessing: Preprocessing,
) -> DetectionAccuracy:
    """Compare what was found with the data's objects and with what PyTorch found."""
    found, expected = (list(map(_detections, one)) for one in (answers, reference))
    return replace(score_detections(found, dataset), images_agreement=agreement(found, expected))


def doubts(
    accuracy: DetectionAccuracy,
    reference: Floats,
    dataset: CocoDataset,
    _preprocessing: Preprocessing,
) -> list[str]:
    """Return why a score may be as low as that of boxes drawn at random, as PyTorch's answers say.

    If boxes are where objects are, and their categories are others, the categories are in doubt.
    """
    if len(dataset) < LEAST_IMAGES or accuracy.map50_percent >= _LEAST_PERCENT:
        return []
    own = f"mAP50 is {accuracy.map50_percent:.1f} % of {len(dataset)} images"
    found = list(map(_detections, reference))
    if not any(len(_shown(one).scores) for one in found):
        return [
            f"{own}, and nothing has a score above {SHOWN}: the manifest may declare the wrong "
            "mean or std"
        ]
    one_category = replace(
        dataset, truths=tuple(replace(truth, category=1) for truth in dataset.truths)
    )
    regardless = score_detections(
        [replace(one, classes=np.ones_like(one.classes)) for one in found], one_category
    )
    if regardless.map50_percent >= max(_REGARDLESS_PERCENT, 3 * accuracy.map50_percent):
        return [
            f"{own}, but {regardless.map50_percent:.1f} % whatever the category: the data's "
            "category ids are not the network's"
        ]
    return [
        f"{own}, no more than of boxes drawn at random: the manifest may declare the wrong mean, "
        "std or padding, or the annotations be of other images"
    ]


def agreement(found: Iterable[Detections], reference: Iterable[Detections]) -> float | None:
    """Return the share of detections that both have, 0..1; None if neither has any.

    Counted are those with a score above 0.3, of both sides: what one has too much is missing from
    the other. Two are the same if they are of one category and have an IoU of 0.9 or more.
    """
    same = total = 0
    for one, other in zip(map(_shown, found), map(_shown, reference), strict=True):
        same += 2 * _count_same(one, other)
        total += len(one.scores) + len(other.scores)
    return same / total if total else None


def max_box_error_px(outputs: Outputs, reference: Outputs, variant: Variant) -> float:
    """Return how far a corner of a box is from PyTorch's at most, in pixels of the input.

    Of all anchors, before scores are looked at; boxes end at the image's border. Infinite where
    a number is not finite, or outputs are not of the variant's anchors.
    """
    anchors = anchors_of(variant)
    codes, expected = outputs[0], reference[0]
    if codes.shape != expected.shape or not np.isfinite(codes).all():
        return float("inf")
    pixels = np.array([variant.height, variant.width] * 2)
    errors = [
        np.abs(np.clip(decode(one, anchors), 0, 1) - np.clip(decode(other, anchors), 0, 1))
        for one, other in zip(codes, expected, strict=True)
    ]
    return float((np.stack(errors) * pixels).max())


def _detections(rows: Floats) -> Detections:
    kept = rows[rows[:, 5] > 0]
    return Detections(kept[:, :4], kept[:, 4], kept[:, 5].astype(np.int64))


def _shown(found: Detections) -> Detections:
    shown = found.scores > SHOWN
    return Detections(found.boxes[shown], found.scores[shown], found.classes[shown])


def _count_same(found: Detections, reference: Detections) -> int:
    """Pair detections, the best first; none has two partners."""
    overlaps = _overlaps(found.boxes, reference.boxes)
    overlaps[found.classes[:, None] != reference.classes] = 0
    same = 0
    for row in overlaps if len(reference.scores) else ():
        best = row.argmax()
        if row[best] >= SAME_IOU:
            same += 1
            overlaps[:, best] = 0
    return same


def _overlaps(boxes: Floats, others: Floats) -> Floats:
    """Return the intersection over the union of each box (n, 4) with each other (m, 4): (n, m)."""
    shared = np.minimum(boxes[:, None, 2:], others[:, 2:])
    shared -= np.maximum(boxes[:, None, :2], others[:, :2])
    both = shared.clip(min=0).prod(axis=2)
    areas, other_areas = ((one[:, 2:] - one[:, :2]).prod(axis=1) for one in (boxes, others))
    overlaps: Floats = both / (areas[:, None] + other_areas - both)
    return overlaps
