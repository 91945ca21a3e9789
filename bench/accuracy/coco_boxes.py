"""The boxes of COCO's annotations: x, y, width and height in pixels, said or drawn."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mobilebench.bench.extras import import_extra

Box = tuple[float, float, float, float]
_MAX_PIXELS = 1e6


def box_of(annotation: dict[str, Any]) -> Box | None:
    """Return an annotation's box; None if it has none, or one that cannot be.

    Without a `bbox` it is the one around its segmentation: polygons, or run lengths.
    """
    box = annotation.get("bbox")
    if not box and annotation.get("segmentation"):
        box = _around(annotation["segmentation"])
    if not isinstance(box, list) or len(box) != 4:
        return None
    if not all(type(one) in (int, float) and abs(one) < _MAX_PIXELS for one in box):
        return None
    x, y, width, height = map(float, box)
    return (x, y, width, height) if min(width, height) >= 0 else None


def beyond(box: Box, size: tuple[int, int]) -> bool:
    """Whether a box reaches more than a pixel beyond an image of this height and width."""
    x, y, width, height = box
    return min(x, y) < -1 or x + width > size[1] + 1 or y + height > size[0] + 1


def are_shares(boxes: Sequence[Box]) -> bool:
    """Whether boxes are in shares of the image's sides, as YOLO has them, and not in pixels."""
    return max(max(box) for box in boxes) <= 1


def _around(segmentation: Any) -> list[float] | None:
    if isinstance(segmentation, dict):
        return _around_runs(segmentation)
    try:
        points = np.concatenate([np.asarray(one, float).reshape(-1, 2) for one in segmentation])
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    except (TypeError, ValueError):  # of no points, too
        return None
    return [float(one) for one in (left, top, right - left, bottom - top)]


def _around_runs(runs: dict[str, Any]) -> list[float] | None:
    mask = import_extra("pycocotools.mask", "data")
    try:
        height, width = runs["size"]
        if isinstance(runs["counts"], list):
            if sum(runs["counts"]) != height * width:
                return None
            runs = mask.frPyObjects(runs, height, width)
        x, y, across, down = (float(one) for one in mask.toBbox(runs))
        # Runs that are damaged may be of more pixels than there are.
        damaged = mask.area(runs) > height * width or x + across > width or y + down > height
        return None if damaged else [x, y, across, down]
    except (KeyError, OverflowError, TypeError, ValueError):
        return None
