"""How well a detector finds what is annotated: COCO's mean average precision."""

import io
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilebench.bench.accuracy.bootstrap import Draws, Interval, bootstrap_interval
from mobilebench.bench.accuracy.boxes import Detections
from mobilebench.bench.accuracy.coco import CocoDataset
from mobilebench.bench.extras import import_extra
from mobilebench.bench.models.outputs import Floats

MAX_DETECTIONS = 100  # of an image that count
_ALL_AREAS = [[0, 1e10]]  # pixels


@dataclass(frozen=True)
class DetectionAccuracy:
    """What was found, of how many images; percentages are means over categories.

    Intervals are by bootstrap over images; one image has none.
    """

    images: int
    map_percent: float  # mean of ten IoU thresholds, 0.50 to 0.95: COCO's AP
    map_ci95_low_percent: float | None
    map_ci95_high_percent: float | None
    map50_percent: float  # at IoU 0.50
    map50_ci95_low_percent: float | None
    map50_ci95_high_percent: float | None
    images_agreement: float | None = None  # share of detections that PyTorch's are too, 0..1


@dataclass(frozen=True, eq=False)
class _Category:
    """Detections of one category, best first, and how they were matched at each threshold."""

    image: NDArray[np.int64]  # (detections,)
    right: NDArray[np.bool_]  # (thresholds, detections)
    counted: NDArray[np.bool_]  # (thresholds, detections); not what lies in a crowd
    objects: NDArray[np.int64]  # (images,), how many there were to find


def score_detections(detections: Sequence[Detections], dataset: CocoDataset) -> DetectionAccuracy:
    """Compare what was found in each image of the data, in their order, with its objects.

    Matching and precision are pycocotools'. Categories without an object are left out.
    """
    evaluation = _evaluate(detections, dataset)
    precision = evaluation.eval["precision"][..., 0, 0]  # (thresholds, recalls, categories)
    known = (precision > -1).all(axis=(0, 1))
    categories = _categories(evaluation, len(dataset))
    recalls = evaluation.params.recThrs
    low, high = _interval(categories, recalls, len(dataset))
    low50, high50 = _interval([_at_first(one) for one in categories], recalls, len(dataset))
    return DetectionAccuracy(
        images=len(dataset),
        map_percent=100 * float(precision[:, :, known].mean()),
        map_ci95_low_percent=low,
        map_ci95_high_percent=high,
        map50_percent=100 * float(precision[0][:, known].mean()),
        map50_ci95_low_percent=low50,
        map50_ci95_high_percent=high50,
    )


def _evaluate(detections: Sequence[Detections], dataset: CocoDataset) -> Any:
    """Return pycocotools' evaluation; images are numbered from 0, objects from 1."""
    coco = import_extra("pycocotools.coco", "data")
    cocoeval = import_extra("pycocotools.cocoeval", "data")
    objects = [
        (truth.image, truth.category, truth.box, {"iscrowd": int(truth.crowd)})
        for truth in dataset.truths
    ]
    found = [
        (image, int(category), (x0, y0, x1 - x0, y1 - y0), {"iscrowd": 0, "score": float(score)})
        for image, (one, size) in enumerate(zip(detections, dataset.sizes, strict=True))
        for (y0, x0, y1, x1), score, category in zip(
            one.in_pixels(*size).astype(float).tolist(), one.scores, one.classes, strict=True
        )
    ]
    with redirect_stdout(io.StringIO()):  # it prints what it is doing
        sides = []
        for boxes in (objects, found):
            side = coco.COCO()
            side.dataset = _coco_dataset(boxes, len(dataset))
            side.createIndex()
            sides.append(side)
        evaluation = cocoeval.COCOeval(*sides, iouType="bbox")
        evaluation.params.areaRng, evaluation.params.areaRngLbl = _ALL_AREAS, ["all"]
        evaluation.params.maxDets = [MAX_DETECTIONS]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def _coco_dataset(boxes: Sequence[tuple[int, int, Any, dict[str, Any]]], images: int) -> Any:
    annotations = [
        {
            "id": number,
            "image_id": image,
            "category_id": category,
            "bbox": list(box),
            "area": box[2] * box[3],
            **rest,
        }
        for number, (image, category, box, rest) in enumerate(boxes, 1)
    ]
    return {
        "images": [{"id": image} for image in range(images)],
        "annotations": annotations,
        "categories": [{"id": category} for category in sorted({box[1] for box in boxes})],
    }


def _categories(evaluation: Any, images: int) -> list[_Category]:
    """Return the matches of each category that has objects, from pycocotools' of each image."""
    found = []
    for start in range(0, len(evaluation.evalImgs), images):  # category by category
        matched = [one for one in evaluation.evalImgs[start : start + images] if one]
        if not matched:
            continue
        objects = np.zeros(images, np.int64)
        for one in matched:
            objects[one["image_id"]] = np.count_nonzero(one["gtIgnore"] == 0)
        if not objects.any():
            continue
        scores = np.concatenate([one["dtScores"] for one in matched])
        best = np.argsort(-scores, kind="stable")
        image = np.repeat(
            [one["image_id"] for one in matched], [len(one["dtScores"]) for one in matched]
        )
        right = np.concatenate([one["dtMatches"] for one in matched], axis=1) > 0
        ignored = np.concatenate([one["dtIgnore"] for one in matched], axis=1).astype(bool)
        found.append(_Category(image[best], right[:, best], ~ignored[:, best], objects))
    return found


def _at_first(category: _Category) -> _Category:
    """Return the same at the first IoU threshold alone."""
    return replace(category, right=category.right[:1], counted=category.counted[:1])


def _interval(categories: Sequence[_Category], recalls: Floats, images: int) -> Interval:
    return bootstrap_interval(images, lambda draw: _map_percent(categories, draw, recalls))


def _map_percent(categories: Sequence[_Category], draw: Draws, recalls: Floats) -> float:
    """Return mAP in percent where each image counts as often as it was drawn.

    What pycocotools' `accumulate` returns of repeated images: precision is that of the best
    detections until a recall is reached, or of more if that is better; 0 where it never is.
    """
    found = [_average_precision(one, draw, recalls) for one in categories if draw @ one.objects]
    return 100 * float(np.mean(found)) if found else float("nan")


def _average_precision(category: _Category, draw: Draws, recalls: Floats) -> float:
    drawn = category.counted * draw[category.image]  # (thresholds, detections)
    right = np.cumsum(drawn * category.right, axis=1)
    precision = right / np.maximum(np.cumsum(drawn, axis=1), 1)
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = right / (draw @ category.objects)
    total = 0.0
    for reached, best in zip(recall, precision, strict=True):
        at = np.searchsorted(reached, recalls)
        total += best[at[at < len(best)]].sum()
    return total / (len(recall) * len(recalls))
