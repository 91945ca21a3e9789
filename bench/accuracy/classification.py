"""How many images a classifier gets right."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mobilebench.bench.accuracy.doubts import (
    LEAST_IMAGES,
    in_another_order,
    is_much_better,
    lowest_percent,
)
from mobilebench.bench.accuracy.labels import LabelDataset, preprocess, read
from mobilebench.bench.models.heads import as_logits
from mobilebench.bench.models.onnx_network import Network
from mobilebench.bench.models.outputs import Floats, Outputs, top_class
from mobilebench.bench.models.preprocessing import Preprocessing

__all__ = ["BATCH", "answer", "doubts", "preprocess", "read", "score"]

BATCH = 25  # images that are in memory at once
_SHORT_LIST = 5


@dataclass(frozen=True)
class ClassificationAccuracy:
    """What was right, of how many images."""

    images: int
    top1_percent: float
    top5_percent: float | None  # None of five classes and fewer, of which any guess is right
    images_agreement: float  # share of images with the same largest logit as PyTorch's, 0..1


def answer(outputs: Outputs, network: Network) -> Floats:
    """Return logits (N, classes), or what tells classes apart as they do."""
    return as_logits(outputs[0], network)


def score(
    answers: Iterable[Floats],
    reference: Floats,
    dataset: LabelDataset,
    _preprocessing: Preprocessing,
) -> ClassificationAccuracy:
    """Count what is right; what is not finite is wrong.

    A single logit is of class 1, above 0, or 0.
    """
    logits, labels = np.stack(list(answers)), np.array(dataset.labels)
    finite = np.isfinite(logits).all(axis=1)
    # Of equal logits the first counts, as PyTorch's and numpy's argmax have it.
    found = top_class(logits, 1)
    best = np.argsort(-logits, axis=1, kind="stable")[:, :_SHORT_LIST]
    top5 = finite & (best == labels[:, None]).any(axis=1)
    agrees = finite & (found == top_class(reference, 1))
    return ClassificationAccuracy(
        images=len(dataset),
        top1_percent=100 * float((finite & (found == labels)).mean()),
        top5_percent=100 * float(top5.mean()) if logits.shape[1] > _SHORT_LIST else None,
        images_agreement=float(agrees.mean()),
    )


def doubts(
    accuracy: ClassificationAccuracy,
    reference: Floats,
    dataset: LabelDataset,
    _preprocessing: Preprocessing,
) -> list[str]:
    """Return what is wrong with the labels, as PyTorch's answers have it, or with a low score."""
    labels, answers = np.array(dataset.labels), top_class(np.asarray(reference), 1)
    own, said = f"top-1 is {accuracy.top1_percent:.1f} %", []
    right = int((answers == labels).sum())
    readings = [
        ("labels are 1 too high, counted from 1 or with a background class", labels - 1),
        ("labels are 1 too low, and the network's first class is the background", labels + 1),
        *((meaning, np.array(others)) for meaning, others in dataset.other_labels),
    ]
    scores = [(int((answers == meant).sum()), meaning) for meaning, meant in readings]
    best, meaning = max(scores)
    in_order = in_another_order(answers, labels)
    if in_order > max(1.2 * best, len(labels) / 2):  # an order suits as well as any shift
        best, meaning = in_order, "the classes were in another order"
    if is_much_better(best, right):
        said.append(f"{own}, but {100 * best / len(labels):.1f} % if {meaning}: check the labels")
    if len(labels) < LEAST_IMAGES:
        return said
    chance = 100 / max(2, reference.shape[1])
    if not said and accuracy.top1_percent < lowest_percent(chance):
        said.append(
            f"{own} of {len(labels)} images, hardly more than guessing ({chance:.1f} %): the "
            "labels may be numbered or ordered otherwise than the network's classes, or its "
            "manifest may declare the wrong mean, std or padding"
        )
    if len(set(dataset.labels)) > 1 and len(set(answers.tolist())) == 1:
        said.append(
            f"{dataset.class_name(int(answers[0]))} is the answer to all {len(labels)} images: the "
            "manifest may declare the wrong mean or std"
        )
    return said
