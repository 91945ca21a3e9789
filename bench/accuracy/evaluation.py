"""Predicts on images and scores the predictions, for each task."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mobilebench.bench.accuracy import classification, detection, segmentation
from mobilebench.bench.accuracy.average_precision import DetectionAccuracy
from mobilebench.bench.accuracy.classification import ClassificationAccuracy
from mobilebench.bench.accuracy.coco import CocoDataset
from mobilebench.bench.accuracy.labels import LabelDataset
from mobilebench.bench.accuracy.mean_iou import SegmentationAccuracy
from mobilebench.bench.accuracy.voc import VocDataset
from mobilebench.bench.models.outputs import Floats, Outputs
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.bench.models.variant import CLASSIFY, DETECT, SEGMENT, Variant

Dataset = LabelDataset | CocoDataset | VocDataset
Accuracy = ClassificationAccuracy | DetectionAccuracy | SegmentationAccuracy
"""Fields are named as the record's columns are."""
Answers = np.ndarray
"""What is kept of the outputs, (images, ...): logits, detections, or the class of each pixel."""


class _Task(Protocol):
    """What the module of a task has."""

    @property
    def BATCH(self) -> int:
        """How many images are kept in memory at once."""
        ...

    def read(self, path: Path) -> Any:
        """Return the images that a path names; raises BenchError for the first bad one."""
        ...

    def preprocess(
        self, dataset: Any, indices: Sequence[int], preprocessing: Preprocessing, /
    ) -> Floats:
        """Return inputs (N, 3, height, width) of some images."""
        ...

    def answer(self, outputs: Outputs, variant: Variant, /) -> Answers:
        """Return what is kept of the outputs for N inputs: (N, ...)."""
        ...

    def score(
        self,
        answers: Iterable[Any],
        reference: Any,
        dataset: Any,
        preprocessing: Preprocessing,
        /,
    ) -> Any:
        """Compare answers, image by image, with the truth and with PyTorch's."""
        ...


_TASKS: dict[str, _Task] = {
    CLASSIFY: classification,
    DETECT: detection,
    SEGMENT: segmentation,
}


@dataclass(frozen=True)
class Evaluation:
    """Images, as a checkpoint wants to see them, and what PyTorch answers."""

    variant: Variant
    dataset: Dataset
    preprocessing: Preprocessing
    answers: Path  # .npy, PyTorch's

    def reference(self) -> Answers:
        """Return PyTorch's answers; they stay in their file until they are looked at."""
        answers: Answers = np.load(self.answers, mmap_mode="r")
        return answers


def read_data(path: Path, task: str) -> Dataset:
    """Return the images that a path names, in the format of a task's data.

    Raises BenchError naming the first file that is missing, damaged or annotated wrongly.
    """
    dataset: Dataset = _TASKS[task].read(path)
    return dataset


def preprocess_files(task: str, files: Sequence[Path], preprocessing: Preprocessing) -> Floats:
    """Return inputs (N, 3, height, width) of images without labels, as a task wants them."""
    unlabelled: dict[str, Dataset] = {
        CLASSIFY: LabelDataset("", tuple(files), (), ""),
        DETECT: CocoDataset("", tuple(files), (), (), ""),
        SEGMENT: VocDataset("", tuple(files), (), ""),
    }
    return _TASKS[task].preprocess(unlabelled[task], range(len(files)), preprocessing)


def count_batches(variant: Variant, dataset: Dataset) -> int:
    """Return in how many batches a network predicts on the images."""
    return ceil(len(dataset) / _TASKS[variant.task].BATCH)


def predict(
    variant: Variant,
    dataset: Dataset,
    preprocessing: Preprocessing,
    infer: Callable[[Floats], Outputs],
) -> Iterator[np.ndarray]:
    """Yield a network's prediction for each image; outputs of one batch are in memory at once."""
    task = _TASKS[variant.task]
    for start in range(0, len(dataset), task.BATCH):
        batch = range(start, min(start + task.BATCH, len(dataset)))
        yield from task.answer(infer(task.preprocess(dataset, batch, preprocessing)), variant)


def write_answers(answers: Iterable[np.ndarray], images: int, path: Path) -> None:
    """Write the answers about so many images as they come."""
    kept: Any = None
    for number, answer in enumerate(answers):
        if kept is None:
            shape = (images, *answer.shape)
            kept = np.lib.format.open_memmap(path, "w+", answer.dtype, shape)
        kept[number] = answer
    kept.flush()


def score(evaluation: Evaluation, answers: Iterable[np.ndarray]) -> Accuracy:
    """Compare answers, in the order of the images, with the truth and with PyTorch's."""
    task, reference = _TASKS[evaluation.variant.task], evaluation.reference()
    accuracy: Accuracy = task.score(
        answers, reference, evaluation.dataset, evaluation.preprocessing
    )
    return accuracy
