"""What counts as right."""

from pathlib import Path

import numpy as np
import pytest

from bench import accuracy
from bench.data import Dataset, Preprocessing

LABELS = (3, 1, 0, 9)


def dataset() -> Dataset:
    return Dataset("four", tuple(Path(f"{n}.png") for n in range(4)), LABELS, "")


def test_top1_top5_and_agreement_are_counted() -> None:
    logits = np.zeros((4, 10), np.float32)
    logits[0, 3] = 1  # right
    logits[1, [4, 1]] = 2, 1  # second
    logits[2, 1:7] = 1  # sixth or worse
    logits[3, 9] = 1  # right
    reference = np.zeros_like(logits)
    reference[range(4), [3, 4, 5, 9]] = 1
    found = accuracy.score(logits, dataset(), reference)
    assert found == accuracy.Accuracy(4, 50.0, 75.0, 0.75)


def test_what_is_not_finite_is_wrong() -> None:
    logits = np.full((4, 10), np.nan, np.float32)
    found = accuracy.score(logits, dataset(), np.zeros_like(logits))
    assert found == accuracy.Accuracy(4, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("images", [1, 25, 26, 60])
def test_every_image_is_shown_once_and_in_order(
    monkeypatch: pytest.MonkeyPatch, images: int
) -> None:
    monkeypatch.setattr(
        accuracy, "show", lambda _data, batch, _how: np.array(batch, np.float32)[:, None]
    )
    data = Dataset("some", (Path("x"),) * images, (0,) * images, "")
    how = Preprocessing(1, 1, None, (0, 0, 0), (1, 1, 1))
    asked: list[int] = []

    def infer(inputs: np.ndarray) -> np.ndarray:
        asked.append(len(inputs))
        return inputs

    assert accuracy.answer(data, how, infer)[:, 0].tolist() == list(range(images))
    assert max(asked) <= accuracy.BATCH
