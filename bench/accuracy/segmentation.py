"""How much of each class a segmenter covers."""

from collections.abc import Iterable

import numpy as np

from mobilebench.bench.accuracy.doubts import LEAST_IMAGES, best_order, lowest_percent
from mobilebench.bench.accuracy.masks import Labels
from mobilebench.bench.accuracy.mean_iou import (
    SegmentationAccuracy,
    confusion,
    label,
    miou_percent,
    one_class_percent,
    score_segmentation,
)
from mobilebench.bench.accuracy.voc import VocDataset, preprocess, read, shown_labels
from mobilebench.bench.models.outputs import Outputs
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.bench.models.variant import Variant

__all__ = ["BATCH", "answer", "doubts", "preprocess", "read", "score"]

_BETTER_PERCENT = 15  # of mIoU, if classes in another order are meant
BATCH = 1  # 513 x 513 pixels have 22 MB of logits


def answer(outputs: Outputs, _variant: Variant) -> Labels:
    """Return the class of each pixel (N, height, width)."""
    return label(outputs[0])


def score(
    answers: Iterable[Labels],
    reference: Labels,
    dataset: VocDataset,
    preprocessing: Preprocessing,
) -> SegmentationAccuracy:
    """Count what is right, at the network's resolution; one image is in memory at once."""
    shown = (
        (one, expected, shown_labels(dataset, [index], preprocessing)[0])
        for index, (one, expected) in enumerate(zip(answers, reference, strict=True))
    )
    return score_segmentation(shown, dataset.classes)


def doubts(
    accuracy: SegmentationAccuracy,
    reference: Labels,
    dataset: VocDataset,
    preprocessing: Preprocessing,
) -> list[str]:
    """Return why a score may be hardly above that of one class in every pixel.

    PyTorch's answers tell whether the network would be right with the classes in another order.
    """
    if len(dataset) < LEAST_IMAGES:
        return []
    truths = (shown_labels(dataset, [index], preprocessing)[0] for index in range(len(dataset)))
    pairs = zip(reference, truths, strict=True)
    counts = np.sum([confusion(*one, dataset.classes) for one in pairs], axis=0)
    chance = one_class_percent(counts)
    own = f"mIoU is {accuracy.miou_percent:.1f} %"
    order = best_order(counts[:, :-1])
    best = miou_percent(np.concatenate([counts[:, order], counts[:, -1:]], axis=1))
    if best >= max(2 * accuracy.miou_percent, accuracy.miou_percent + _BETTER_PERCENT):
        return [
            f"{own}, but {best:.1f} % if the classes were in another order: check which class has "
            "which value in the masks"
        ]
    if accuracy.miou_percent >= lowest_percent(chance):
        return []
    return [
        f"{own} of {len(dataset)} images, hardly more than of one class in every pixel "
        f"({chance:.1f} %): the masks may have other classes than the network, or its manifest may "
        "declare the wrong mean, std or padding"
    ]
