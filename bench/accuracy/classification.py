"""How many images a classifier gets right."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mobilebench.bench.accuracy.labels import LabelDataset, preprocess, read
from mobilebench.bench.models.outputs import Floats, Outputs
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.bench.models.variant import Variant

__all__ = ["BATCH", "answer", "preprocess", "read", "score"]

BATCH = 25  # images that are in memory at once


@dataclass(frozen=True)
class ClassificationAccuracy:
    """What was right, of how many images."""

    images: int
    top1_percent: float
    top5_percent: float
    images_agreement: float  # share of images with the same largest logit as PyTorch's, 0..1


def answer(outputs: Outputs, _variant: Variant) -> Floats:
    """Return logits (N, classes)."""
    return outputs[0]


def score(
    answers: Iterable[Floats],
    reference: Floats,
    dataset: LabelDataset,
    _preprocessing: Preprocessing,
) -> ClassificationAccuracy:
    """Count what is right; what is not finite is wrong."""
    logits, labels = np.stack(list(answers)), np.array(dataset.labels)
    finite = np.isfinite(logits).all(axis=1)
    # Of equal logits the first counts, as PyTorch's and numpy's argmax have it.
    order = np.argsort(-logits, axis=1, kind="stable")[:, :5]
    top1 = finite & (order[:, 0] == labels)
    top5 = finite & (order == labels[:, None]).any(axis=1)
    agrees = finite & (order[:, 0] == reference.argmax(axis=1))
    return ClassificationAccuracy(
        images=len(dataset),
        top1_percent=100 * float(top1.mean()),
        top5_percent=100 * float(top5.mean()),
        images_agreement=float(agrees.mean()),
    )
