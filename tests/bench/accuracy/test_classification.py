"""How many images are right."""

from pathlib import Path

import numpy as np

from mobilebench.bench.accuracy.classification import ClassificationAccuracy, score
from mobilebench.bench.accuracy.labels import LabelDataset
from mobilebench.bench.models.preprocessing import Preprocessing

LABELS = (3, 1, 0, 9)
DATA = LabelDataset("four", tuple(Path(f"{n}.png") for n in range(4)), LABELS, "")
SHOWN = Preprocessing(8, 8, None, (0, 0, 0), (1, 1, 1))


def test_top1_top5_and_agreement_are_counted() -> None:
    logits = np.zeros((4, 10), np.float32)
    logits[0, 3] = 1  # right
    logits[1, [4, 1]] = 2, 1  # second
    logits[2, 1:7] = 1  # sixth or worse
    logits[3, 9] = 1  # right
    reference = np.zeros_like(logits)
    reference[range(4), [3, 4, 5, 9]] = 1
    found = score(iter(logits), reference, DATA, SHOWN)
    assert found == ClassificationAccuracy(4, 50.0, 75.0, 0.75)


def test_non_finite_logits_count_as_wrong() -> None:
    logits = np.full((4, 10), np.nan, np.float32)
    found = score(iter(logits), np.zeros_like(logits), DATA, SHOWN)
    assert found == ClassificationAccuracy(4, 0.0, 0.0, 0.0)


def test_a_single_logit_is_held_against_0() -> None:
    logits = np.array([[0.3], [-0.2], [0.1], [np.nan]], np.float32)
    reference = np.array([[0.2], [0.1], [0.1], [0.1]], np.float32)
    data = LabelDataset("some", tuple(map(Path, "abcd")), (1, 0, 0, 1), "")
    accuracy = score(logits, reference, data, SHOWN)
    assert (accuracy.top1_percent, accuracy.top5_percent) == (50, None)
    assert accuracy.images_agreement == 0.5


def test_five_classes_have_no_top_5() -> None:
    logits = np.eye(5, dtype=np.float32)
    data = LabelDataset("some", tuple(map(Path, "abcde")), (0, 1, 2, 3, 0), "")
    accuracy = score(logits, logits, data, SHOWN)
    assert (accuracy.top1_percent, accuracy.top5_percent) == (80, None)
