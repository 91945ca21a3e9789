"""How well a detector finds what is there; figures worked out by hand."""

from pathlib import Path

import numpy as np
import pytest

from mobilebench.bench.accuracy import average_precision
from mobilebench.bench.accuracy.average_precision import DetectionAccuracy, score_detections
from mobilebench.bench.accuracy.boxes import Detections, anchors_of, detect, encode
from mobilebench.bench.accuracy.coco import CocoDataset, Truth
from mobilebench.bench.models.variant import parse_variant

HEIGHT, WIDTH = 100, 200  # of every image

Box = tuple[float, float, float, float]  # x, y, width, height in pixels


def data(*truths: Truth, images: int = 1) -> CocoDataset:
    files = tuple(Path(f"{number}.jpg") for number in range(images))
    return CocoDataset("some", files, ((HEIGHT, WIDTH),) * images, truths, "")


def answer(*found: tuple[Box, int, float]) -> Detections:
    """Return detections of boxes, categories and scores, best first."""
    boxes = [(y, x, y + height, x + width) for (x, y, width, height), _, _ in found]
    shares = np.array(boxes, np.float32).reshape(-1, 4) / (HEIGHT, WIDTH, HEIGHT, WIDTH)
    return Detections(
        shares.astype(np.float32),
        np.array([score for _, _, score in found], np.float32),
        np.array([category for _, category, _ in found], np.int64),
    )


def interval_of(scored: DetectionAccuracy) -> tuple[float | None, float | None]:
    return scored.map_ci95_low_percent, scored.map_ci95_high_percent


A, B = (20.0, 10.0, 40.0, 30.0), (120.0, 50.0, 60.0, 40.0)
NOWHERE = (90.0, 80.0, 10.0, 10.0)


def test_perfect_answers_have_100_percent(capsys: pytest.CaptureFixture[str]) -> None:
    dataset = data(Truth(0, 1, A, False), Truth(0, 90, B, False), Truth(1, 1, B, False), images=2)
    scored = score_detections([answer((A, 1, 0.9), (B, 90, 0.2)), answer((B, 1, 0.4))], dataset)
    assert scored.images == 2
    assert (scored.map_percent, scored.map50_percent) == pytest.approx((100, 100))
    assert interval_of(scored) == pytest.approx((100, 100))
    assert capsys.readouterr().out == ""


def test_a_network_s_perfect_outputs_have_100_percent() -> None:
    dataset = data(Truth(0, 17, A, False), Truth(0, 3, B, False))
    anchors = anchors_of(parse_variant("ssdlite_mobilenet_v2_1.0_64"))
    codes = np.zeros((1, len(anchors), 4), np.float32)
    logits = np.full((1, len(anchors), 91), -12, np.float32)
    for place, truth in zip((5, 70), dataset.truths, strict=True):
        x, y, width, height = truth.box
        box = np.array([[y, x, y + height, x + width]], np.float32) / 100 / (1, 2, 1, 2)
        codes[0, place] = encode(box.astype(np.float32), anchors[place : place + 1])[0]
        logits[0, place, truth.category] = 3
    scored = score_detections(detect(codes, logits, anchors), dataset)
    assert scored.map_percent == pytest.approx(100)


@pytest.mark.parametrize(
    ("found", "map_percent", "map50_percent"),
    [
        ([], 0, 0),
        ([(A, 2, 0.9), (B, 2, 0.8)], 0, 0),  # of another category
        ([(A, 1, 0.9)], 100 * 51 / 101, 100 * 51 / 101),  # half: recalls 0.00 to 0.50
        ([(A, 1, 0.9), (B, 1, 0.8), (NOWHERE, 1, 0.7)], 100, 100),  # too much, but last
        # A wrong one first: one of two, then two of three, which is better at every recall.
        ([(NOWHERE, 1, 0.9), (A, 1, 0.8), (B, 1, 0.7)], 100 * 2 / 3, 100 * 2 / 3),
        # A twice, then B: all until 0.50, then two of three.
        (
            [(A, 1, 0.9), (A, 1, 0.8), (B, 1, 0.7)],
            100 * (51 + 50 * 2 / 3) / 101,
            100 * (51 + 50 * 2 / 3) / 101,
        ),
        # 8 of 48 columns beside it: IoU 32/48 = 0.67, right at four of ten thresholds. The other
        # thresholds have one right and one wrong before it.
        (
            [((28.0, 10.0, 40.0, 30.0), 1, 0.9), (B, 1, 0.8)],
            0.4 * 100 + 0.6 * 100 * 51 / 101 / 2,
            100,
        ),
    ],
)
def test_imperfect_detections_have_the_map_computed_by_hand(
    found: list[tuple[Box, int, float]], map_percent: float, map50_percent: float
) -> None:
    scored = score_detections([answer(*found)], data(Truth(0, 1, A, False), Truth(0, 1, B, False)))
    assert scored.map_percent == pytest.approx(map_percent)
    assert scored.map50_percent == pytest.approx(map50_percent)
    assert interval_of(scored) == (None, None)  # one image


def test_categories_count_equally_and_absent_ones_are_ignored() -> None:
    dataset = data(*[Truth(0, 1, A, False)], *[Truth(n, 2, B, False) for n in range(3)], images=3)
    answers = [answer((B, 2, 0.9), (A, 3, 0.8)), answer((B, 2, 0.9)), answer((B, 2, 0.9))]
    assert score_detections(answers, dataset).map_percent == pytest.approx(50)


def test_detections_in_a_crowd_are_neither_right_nor_wrong() -> None:
    inside = (125.0, 55.0, 20.0, 20.0)
    dataset = data(Truth(0, 1, A, False), Truth(0, 1, B, True))
    scored = score_detections([answer((inside, 1, 0.9), (A, 1, 0.8))], dataset)
    assert scored.map_percent == pytest.approx(100)


def test_an_image_drawn_twice_counts_as_two_images(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.array([2, 0, 1, 3, 0, 1])
    drawn = np.repeat(range(len(draw)), draw)
    truths, answers = random_images(len(draw))
    asked = [
        Truth(number, truth.category, truth.box, truth.crowd)
        for number, image in enumerate(drawn)
        for truth in truths
        if truth.image == image
    ]
    expected = score_detections(
        [answers[image] for image in drawn], data(*asked, images=len(drawn))
    )
    monkeypatch.setattr(
        average_precision, "bootstrap_interval", lambda _images, percent: (percent(draw), 100.0)
    )
    scored = score_detections(answers, data(*truths, images=len(draw)))
    assert interval_of(scored) == (pytest.approx(expected.map_percent), 100.0)
    assert scored.map50_ci95_low_percent == pytest.approx(expected.map50_percent)
    assert 5 < expected.map_percent < expected.map50_percent < 95
    assert abs(expected.map_percent - scored.map_percent) > 0.1


def random_images(images: int) -> tuple[list[Truth], list[Detections]]:
    """Return images with objects of three categories and crowds, and answers that are so so."""
    random = np.random.default_rng(1)
    truths, answers = [], []
    for image in range(images):
        found: list[tuple[Box, int, float]] = []
        for _ in range(8):
            x, y, width, height = random.uniform(5, 50, 4)
            category = int(random.integers(1, 4))
            truths.append(Truth(image, category, (x, y, width, height), random.random() < 0.1))
            for shift in random.normal(0, 3, 2):
                found.append(((x + shift, y, width, height), category, random.random()))
        answers.append(answer(*sorted(found, key=lambda one: -one[2])))
    return truths, answers


def test_the_interval_is_around_the_figure() -> None:
    truths, answers = random_images(12)
    scored = score_detections(answers, data(*truths, images=12))
    low, high = interval_of(scored)
    assert low is not None
    assert high is not None
    assert 0 < low < scored.map_percent < high < 100
    assert scored.map50_ci95_low_percent is not None
    assert scored.map50_ci95_high_percent is not None
    assert low < scored.map50_ci95_low_percent < scored.map50_percent
    assert scored.map50_percent < scored.map50_ci95_high_percent < 100
