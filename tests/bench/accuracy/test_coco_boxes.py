"""Boxes of annotations: as they are said, or around what was drawn."""

from typing import Any

import numpy as np
import pytest
from pycocotools import mask

from mobilebench.bench.accuracy.coco_boxes import are_shares, beyond, box_of

DRAWN = np.zeros((30, 40), np.uint8)
DRAWN[5:13, 4:14] = 1  # x 4, y 5, 10 wide, 8 high


def compressed() -> dict[str, Any]:
    runs = mask.encode(np.asfortranarray(DRAWN))
    return {"size": [int(one) for one in runs["size"]], "counts": runs["counts"].decode()}


def plain_runs() -> dict[str, Any]:
    """Return the lengths of the runs of 0 and 1, column by column."""
    flat = DRAWN.T.ravel()
    ends = np.flatnonzero(np.diff(flat)) + 1
    return {"size": [30, 40], "counts": np.diff([0, *ends, flat.size]).tolist()}


@pytest.mark.parametrize(
    "segmentation",
    [
        [[4, 5, 14, 5, 14, 13, 4, 13]],
        [[4, 5, 9, 5, 9, 13], [10, 6, 14, 6, 14, 12]],
        compressed(),
        plain_runs(),
    ],
)
def test_a_box_is_around_polygons_and_run_lengths(segmentation: Any) -> None:
    assert box_of({"segmentation": segmentation}) == (4, 5, 10, 8)
    assert box_of({"bbox": [], "segmentation": segmentation}) == (4, 5, 10, 8)
    assert box_of({"bbox": [1, 2, 3, 4], "segmentation": segmentation}) == (1, 2, 3, 4)


@pytest.mark.parametrize(
    "box", [[0.25, -3.5, 10.5, 0], [39.5, 29.5, 20, 20]], ids=["fractional", "outside"]
)
def test_fractional_and_outside_boxes_stay_as_they_are(box: list[float]) -> None:
    assert box_of({"bbox": box}) == tuple(box)


@pytest.mark.parametrize(
    "annotation",
    [
        {},
        {"bbox": [1, 2, 3]},
        {"bbox": [1, 2, -3, 4]},
        {"bbox": [1, 2, float("nan"), 4]},
        {"bbox": "1,2,3,4"},
        {"segmentation": [["a", "b"]]},
        {"segmentation": [[1, 2, 3]]},
        {"segmentation": {"counts": [1, 2]}},
        {"segmentation": [[]]},
        {"segmentation": {"size": [4, 5], "counts": [100, 5, 1895]}},
        {"segmentation": {"size": [4, 5], "counts": [-20, 5, 35]}},
        {"segmentation": compressed() | {"size": [4, 5]}},
    ],
)
def test_what_is_no_box_is_none(annotation: dict[str, Any]) -> None:
    assert box_of(annotation) is None


def test_boxes_beyond_their_image_are_noticed() -> None:
    assert beyond((30, 20, 40, 30), (30, 40))  # two corners
    assert beyond((-5, 0, 9, 9), (30, 40))
    assert not beyond((0, 0, 40.4, 30.2), (30, 40))


def test_shares_of_the_image_are_noticed() -> None:
    assert are_shares([(0.5, 0.5, 0.2, 0.1), (0, 0, 1, 1)])
    assert not are_shares([(0.5, 0.5, 0.2, 0.1), (0, 0, 12, 1)])
