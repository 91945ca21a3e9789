"""How much of each class a segmenter covers."""

from collections.abc import Iterable

from mobilebench.bench.accuracy.mean_iou import SegmentationAccuracy, label, score_segmentation
from mobilebench.bench.accuracy.voc import Labels, VocDataset, preprocess, read, shown_labels
from mobilebench.bench.models.outputs import Outputs
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.bench.models.variant import Variant

__all__ = ["BATCH", "answer", "preprocess", "read", "score"]

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
    return score_segmentation(
        (one, expected, shown_labels(dataset, [index], preprocessing)[0])
        for index, (one, expected) in enumerate(zip(answers, reference, strict=True))
    )
