"""Scores that make the data suspicious, and the reason that is named."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobilebench.bench.accuracy import classification, detection, segmentation
from mobilebench.bench.accuracy.coco import CocoDataset, Truth
from mobilebench.bench.accuracy.doubts import lowest_percent
from mobilebench.bench.accuracy.labels import LabelDataset
from mobilebench.bench.accuracy.voc import VocDataset
from mobilebench.bench.models.preprocessing import Preprocessing

HOW = Preprocessing(8, 8, None, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
RANDOM = np.random.default_rng(0)


def labelled(
    labels: Sequence[int], **other: tuple[tuple[str, tuple[int, ...]], ...]
) -> LabelDataset:
    return LabelDataset("some", (Path("x"),) * len(labels), tuple(labels), "", **other)


def doubts_of(answers: np.ndarray, data: LabelDataset, classes: int) -> list[str]:
    """Return the doubts about a classifier that gives these answers."""
    logits = np.zeros((len(answers), classes), np.float32)
    logits[np.arange(len(answers)), answers] = 1
    accuracy = classification.score(logits, logits, data, HOW)
    return classification.doubts(accuracy, logits, data, HOW)


@pytest.mark.parametrize(
    ("shift", "reason"),
    [(1, "100.0 % if labels are 1 too high, counted from 1"), (-1, "labels are 1 too low")],
)
def test_labels_that_are_shifted_by_one_are_noticed(shift: int, reason: str) -> None:
    answers = RANDOM.integers(1, 999, 40)
    (doubt,) = doubts_of(answers, labelled((answers + shift).tolist()), 1000)
    assert reason in doubt
    assert doubt.startswith("top-1 is 0.0 %, but ")


def test_a_shift_is_noticed_although_neighbouring_classes_are_alike() -> None:
    answers = RANDOM.integers(1, 999, 200)
    labels = answers + 1
    labels[:30] -= 1  # 15 % are right as they are
    (doubt,) = doubts_of(answers, labelled(labels.tolist()), 1000)
    assert "top-1 is 15.0 %, but 85.0 % if labels are 1 too high" in doubt


def test_directories_that_were_sorted_as_text_are_noticed() -> None:
    numbers = RANDOM.integers(0, 37, 60)
    place = {int(text): rank for rank, text in enumerate(sorted(map(str, range(37))))}
    by_text = tuple(place[number] for number in numbers.tolist())
    data = labelled(numbers.tolist(), other_labels=(("directories were sorted as text", by_text),))
    (doubt,) = doubts_of(np.array(by_text), data, 37)
    assert "100.0 % if directories were sorted as text" in doubt


def test_classes_in_another_order_are_noticed() -> None:
    labels = RANDOM.integers(0, 5, 60)
    (doubt,) = doubts_of(np.array([3, 0, 4, 1, 2])[labels], labelled(labels.tolist()), 5)
    assert "100.0 % if the classes were in another order" in doubt


def test_two_classes_the_wrong_way_round_are_noticed() -> None:
    labels = RANDOM.integers(0, 2, 60)
    (doubt,) = doubts_of(1 - labels, labelled(labels.tolist()), 2)
    assert "top-1 is 0.0 %, but 100.0 %" in doubt


def test_a_score_at_chance_names_the_likely_reasons() -> None:
    labels = RANDOM.integers(0, 1000, 60)
    (doubt,) = doubts_of((labels + 500) % 1000, labelled(labels.tolist()), 1000)
    assert "top-1 is 0.0 % of 60 images, hardly more than guessing (0.1 %)" in doubt
    assert "ordered otherwise" in doubt
    assert "mean, std or padding" in doubt


def test_the_same_answer_to_every_image_is_noticed() -> None:
    labels = [0] * 54 + [1] * 6  # 90 % are right
    (doubt,) = doubts_of(np.zeros(60, np.int64), labelled(labels), 2)
    assert "class 0 is the answer to all 60 images" in doubt


@pytest.mark.parametrize("classes", [2, 5, 37, 1000])
def test_a_fair_score_is_not_doubted(classes: int) -> None:
    labels = RANDOM.integers(0, classes, 200)
    answers = np.where(RANDOM.random(200) < 0.65, labels, RANDOM.integers(0, classes, 200))
    assert doubts_of(answers, labelled(labels.tolist()), classes) == []


def test_few_images_at_chance_are_not_doubted() -> None:
    labels = RANDOM.integers(0, 1000, 49)
    assert doubts_of((labels + 500) % 1000, labelled(labels.tolist()), 1000) == []


@pytest.mark.parametrize(
    ("chance", "lowest"), [(0.1, 0.3), (100 / 37, 300 / 37), (20, 36), (50, 60)]
)
def test_three_times_chance_is_the_limit_where_classes_are_many(
    chance: float, lowest: float
) -> None:
    assert lowest_percent(chance) == pytest.approx(lowest)


def found_at(category: int, score: float, images: int = 60) -> np.ndarray:
    """Return detections of one object in the same place of every image."""
    rows = np.zeros((images, 100, 6), np.float32)
    rows[:, 0] = (0.1, 0.1, 0.5, 0.5, score, category)
    return rows


def objects_at(category: int, box: tuple[float, ...] = (10, 10, 40, 40)) -> CocoDataset:
    truths = tuple(
        Truth(image, category, (box[0], box[1], box[2], box[3]), crowd=False) for image in range(60)
    )
    return CocoDataset("some", (Path("x"),) * 60, ((100, 100),) * 60, truths, "")


@pytest.mark.parametrize(
    ("data", "score", "reason"),
    [
        (objects_at(13), 0.9, "100.0 % whatever the category: the data's category ids"),
        (objects_at(12, (60, 60, 30, 30)), 0.9, "boxes drawn at random"),
        (objects_at(13), 0.1, "nothing has a score above 0.3"),
        (objects_at(12), 0.9, ""),
    ],
)
def test_a_detector_at_chance_names_the_likely_reason(
    data: CocoDataset, score: float, reason: str
) -> None:
    rows = found_at(12, score)
    accuracy = detection.score(rows, rows, data, HOW)
    said = detection.doubts(accuracy, rows, data, HOW)
    assert reason in said[0] if reason else said == []
    few = CocoDataset("", data.files[:49], data.sizes[:49], data.truths[:49], "")
    assert detection.doubts(accuracy, rows[:49], few, HOW) == []


def masked(folder: Path, labels: np.ndarray) -> VocDataset:
    """Return 60 images of which all have the same mask."""
    file = folder / "mask.png"
    Image.fromarray(labels.astype(np.uint8)).save(file)
    return VocDataset("some", (file,) * 60, (file,) * 60, "")


@pytest.mark.parametrize(
    ("classes", "reason"),
    [
        ((0, 15, 7, 9), ""),
        ((0, 7, 9, 15), "100.0 % if the classes were in another order"),
        ((0, 0, 0, 0), "hardly more than of one class in every pixel"),
    ],
)
def test_a_segmenter_at_chance_names_the_likely_reason(
    tmp_path: Path, classes: tuple[int, ...], reason: str
) -> None:
    truth = np.array([0, 15, 7, 9])[np.arange(64).reshape(8, 8) % 4]
    answers = np.broadcast_to(
        np.array(classes, np.uint8)[np.arange(64).reshape(8, 8) % 4], (60, 8, 8)
    )
    data = masked(tmp_path, truth)
    accuracy = segmentation.score(answers, answers, data, HOW)
    said = segmentation.doubts(accuracy, answers, data, HOW)
    assert reason in said[0] if reason else said == []
    few = replace(data, images=data.images[:49], masks=data.masks[:49])
    assert segmentation.doubts(accuracy, answers[:49], few, HOW) == []
