"""Anchors, box coding, scores, and which boxes are kept."""

import sys

import numpy as np
import pytest

from mobilebench.bench.accuracy import boxes
from mobilebench.bench.accuracy.boxes import (
    Detections,
    Suppression,
    anchors_of,
    class_scores,
    decode,
    detect,
    encode,
)
from mobilebench.bench.models.outputs import Floats
from mobilebench.bench.models.variant import DETECT, Variant
from mobilebench.targets.errors import BenchError


def ssd_anchors_of(height: int, width: int) -> Floats:
    return anchors_of(Variant(1.0, height, width, task=DETECT))


def square(y: float, x: float, side: float) -> list[float]:
    return [y, x, y + side, x + side]


def logits_of(scores: np.ndarray) -> Floats:
    """Return class predictions (1, n, 1 + classes) of scores (n, classes)."""
    background = np.zeros((len(scores), 1))
    return np.concatenate([background, np.log(scores / (1 - scores))], axis=1)[None].astype("f4")


def found(where: list[list[float]], scores: list[list[float]], **how: float) -> Detections:
    """Return what is kept of boxes with scores for each class."""
    anchors = np.array(where, np.float32)
    (kept,) = detect(
        np.zeros((1, len(anchors), 4), np.float32),
        logits_of(np.array(scores)),
        anchors,
        Suppression(**how),  # type: ignore[arg-type]
    )
    return kept


@pytest.mark.parametrize(("size", "count"), [(300, 1917), (320, 2034)])
def test_there_are_as_many_anchors_as_published(size: int, count: int) -> None:
    assert ssd_anchors_of(size, size).shape == (count, 4)


def test_first_anchors_match_those_computed_by_hand() -> None:
    # Map 1 of 20 x 20: centre 1/40; sides 0.1, then 0.2 over and times the root of 2 and 1/2.
    half, long, short = 0.05, 0.2 * 2**0.5 / 2, 0.2 / 2**0.5 / 2
    expected = [
        (0.025 - half, 0.025 - half, 0.025 + half, 0.025 + half),
        (0.025 - short, 0.025 - long, 0.025 + short, 0.025 + long),
        (0.025 - long, 0.025 - short, 0.025 + long, 0.025 + short),
        (0.025 - half, 0.075 - half, 0.025 + half, 0.075 + half),  # next column, same row
    ]
    anchors = ssd_anchors_of(320, 320)
    np.testing.assert_allclose(anchors[:4], expected, atol=1e-6)
    np.testing.assert_allclose(anchors[60, 0], 0.075 - half, atol=1e-6)  # next row


def test_anchors_of_a_later_map_match_those_computed_by_hand() -> None:
    # Map 2 of 10 x 10: scale 0.35, the next 0.5; (height, width) by aspect ratio 1, 2, 1/2, 3, 1/3.
    sides = [
        (0.35, 0.35),
        (0.2474874, 0.4949747),
        (0.4949747, 0.2474874),
        (0.2020726, 0.6062178),
        (0.6062481, 0.2020625),  # of 0.3333
        (0.4183300, 0.4183300),  # root of 0.35 * 0.5
    ]
    second = ssd_anchors_of(320, 320)[1200:1206]
    np.testing.assert_allclose(second[:, 2:] - second[:, :2], sides, atol=1e-6)
    np.testing.assert_allclose(second[:, 2:] + second[:, :2], 0.1, atol=1e-6)
    last = ssd_anchors_of(320, 320)[-1]  # root of 0.95 * 1, in the middle
    np.testing.assert_allclose(last, [0.0126603, 0.0126603, 0.9873397, 0.9873397], atol=1e-6)


def test_square_anchors_are_square_on_other_inputs_too() -> None:
    first = ssd_anchors_of(160, 320)[0]
    assert first[2] - first[0] == pytest.approx(0.1)  # of the shorter side
    assert first[3] - first[1] == pytest.approx(0.05)


def test_codes_are_scaled_offsets_and_logarithms() -> None:
    anchor = np.array([[0.2, 0.2, 0.4, 0.6]], np.float32)
    box = np.array([[0.2, 0.3, 0.6, 0.5]], np.float32)  # centre 0.1 lower; twice as high, half wide
    expected = [[10 * 0.1 / 0.2, 0, 5 * np.log(2), 5 * np.log(0.5)]]
    np.testing.assert_allclose(encode(box, anchor), expected, atol=1e-5)


def test_decoding_reverses_encoding() -> None:
    anchors = ssd_anchors_of(320, 256)
    corners = np.random.default_rng(0).uniform(0, 0.5, (len(anchors), 2, 2)).cumsum(axis=1)
    truth = corners.reshape(-1, 4).astype(np.float32)
    np.testing.assert_allclose(decode(encode(truth, anchors), anchors), truth, atol=1e-5)


def test_class_scores_exclude_the_background() -> None:
    logits = np.array([[9, 0, np.log(3)], [0, -1000, 1000]], np.float32)
    np.testing.assert_allclose(class_scores(logits), [[0.5, 0.75], [0, 1]])
    powers = np.exp([9, 0, np.log(3)])
    np.testing.assert_allclose(
        class_scores(logits, "softmax")[0], powers[1:] / powers.sum(), rtol=1e-5
    )


def test_the_best_of_overlapping_boxes_is_kept() -> None:
    a, b, c = square(0.1, 0.1, 0.4), square(0.1, 0.15, 0.4), square(0.1, 0.3, 0.4)
    kept = found([a, b, c], [[0.6], [0.9], [0.3]])  # a and b share 7 of 9 parts, b and c less
    np.testing.assert_allclose(kept.boxes, [b, c], atol=1e-6)
    np.testing.assert_allclose(kept.scores, [0.9, 0.3], atol=1e-6)
    assert len(found([a, b, c], [[0.6], [0.9], [0.3]], iou_threshold=0.8).scores) == 3


def test_classes_do_not_suppress_each_other_and_are_counted_from_1() -> None:
    kept = found([square(0.1, 0.1, 0.4)] * 2, [[0.2, 0.7], [0.3, 0.6]])
    assert kept.classes.tolist() == [2, 1]
    np.testing.assert_allclose(kept.scores, [0.7, 0.3], atol=1e-6)


def test_boxes_are_limited_per_class_and_in_total() -> None:
    where = [square(0.1 * place, 0, 0.1) for place in range(5)]
    scores = [[0.9 - 0.1 * place, 0.85 - 0.1 * place] for place in range(5)]
    assert found(where, scores, per_class=2).classes.tolist() == [1, 2, 1, 2]
    assert found(where, scores, in_all=3).classes.tolist() == [1, 2, 1]
    assert len(found(where, scores, score_threshold=0.6).scores) == 6


def test_boxes_end_at_the_border_and_those_outside_are_left_out() -> None:
    kept = found([square(-0.1, 0.7, 0.4), square(1.1, 0.2, 0.3)], [[0.5], [0.9]])
    np.testing.assert_allclose(kept.boxes, [[0, 0.7, 0.3, 1]], atol=1e-6)
    np.testing.assert_allclose(kept.in_pixels(100, 200), [[0, 140, 30, 200]], atol=1e-4)


def test_non_finite_outputs_give_no_detections() -> None:
    anchors = ssd_anchors_of(64, 64)
    codes = np.zeros((2, len(anchors), 4), np.float32)
    logits = np.full((2, len(anchors), 91), -20, np.float32)
    logits[0, 3, 7] = 4
    logits[0, 5, 9] = np.nan
    codes[0, 8, 1], logits[0, 8, 1] = np.inf, 5
    logits[1] = np.nan
    first, second = detect(codes, logits, anchors, Suppression(score_threshold=0.1))
    assert first.classes.tolist() == [7]
    assert second.boxes.shape == (0, 4)
    assert second.classes.shape == second.scores.shape == (0,)


def test_outputs_with_another_number_of_anchors_are_refused() -> None:
    codes, logits = np.zeros((1, 1917, 4), np.float32), np.zeros((1, 1917, 91), np.float32)
    with pytest.raises(BenchError, match="are not of 2034 anchors"):
        detect(codes, logits, ssd_anchors_of(320, 320))


def test_many_random_boxes_are_suppressed_as_a_plain_loop_does() -> None:
    random = np.random.default_rng(0)
    anchors = ssd_anchors_of(96, 96)
    codes = random.standard_normal((1, len(anchors), 4)).astype(np.float32)
    logits = random.standard_normal((1, len(anchors), 4)).astype(np.float32)
    (kept,) = detect(codes, logits, anchors, Suppression(in_all=10_000, per_class=10_000))
    where, scores = decode(codes[0], anchors), class_scores(logits[0])
    expected = []
    for category in range(3):
        chosen: list[int] = []
        for place in np.argsort(-scores[:, category]):
            if all(overlap(where[place], where[other]) <= 0.6 for other in chosen):
                chosen.append(int(place))
        inside = np.clip(where[chosen], 0, 1)
        seen = (inside[:, 2] > inside[:, 0]) & (inside[:, 3] > inside[:, 1])
        expected += scores[chosen, category][seen].tolist()
    assert len(expected) < 3 * len(anchors)
    np.testing.assert_array_equal(kept.scores, np.sort(np.array(expected, np.float32))[::-1])


def overlap(a: Floats, b: Floats) -> float:
    """Return the intersection over the union of two boxes."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = max(float(sides[0]), 0.0) * max(float(sides[1]), 0.0)
    areas = [float((box[2] - box[0]) * (box[3] - box[1])) for box in (a, b)]
    return shared / (sum(areas) - shared)


def test_a_missing_runtime_is_reported_with_the_extra_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    boxes._suppressor.cache_clear()
    with pytest.raises(BenchError, match=r"onnxruntime is not installed; .*mobilebench\[data\]"):
        found([square(0, 0, 1)], [[0.5]])
