"""How many images a network gets right."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.data import Dataset, Preprocessing, show
from bench.fidelity import Floats, Outputs

BATCH = 25  # images that are in memory at once


@dataclass(frozen=True)
class Exam:
    """Images, as a checkpoint wants to see them, and what PyTorch answers."""

    dataset: Dataset
    preprocessing: Preprocessing
    answers: Path  # .npy, PyTorch's logits (images, classes)

    def reference(self) -> Floats:
        """Return PyTorch's logits."""
        logits: Floats = np.load(self.answers)
        return logits


@dataclass(frozen=True)
class Accuracy:
    """What was right, of how many images."""

    images: int
    top1_percent: float
    top5_percent: float
    agreement: float  # share of images with the same largest logit as PyTorch's, 0..1


def answer(
    dataset: Dataset, preprocessing: Preprocessing, infer: Callable[[Floats], Outputs]
) -> Floats:
    """Return logits (images, classes), batch by batch."""
    return np.concatenate(
        [infer(show(dataset, batch, preprocessing))[0] for batch in _batches(len(dataset))]
    )


def score(logits: Floats, dataset: Dataset, reference: Floats) -> Accuracy:
    """Count what is right; what is not finite is wrong."""
    labels = np.array(dataset.labels)
    finite = np.isfinite(logits).all(axis=1)
    # Of equal logits the first counts, as PyTorch's and numpy's argmax have it.
    order = np.argsort(-logits, axis=1, kind="stable")[:, :5]
    top1 = finite & (order[:, 0] == labels)
    top5 = finite & (order == labels[:, None]).any(axis=1)
    agrees = finite & (order[:, 0] == reference.argmax(axis=1))
    return Accuracy(
        images=len(dataset),
        top1_percent=100 * float(top1.mean()),
        top5_percent=100 * float(top5.mean()),
        agreement=float(agrees.mean()),
    )


def _batches(images: int) -> Iterator[range]:
    for start in range(0, images, BATCH):
        yield range(start, min(start + BATCH, images))
