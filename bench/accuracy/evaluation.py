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
from mobilebench.bench.accuracy.labels import LabelDataset, check_sizes
from mobilebench.bench.accuracy.mean_iou import SegmentationAccuracy
from mobilebench.bench.accuracy.voc import VocDataset
from mobilebench.bench.models.onnx_network import Network, in_layout
from mobilebench.bench.models.outputs import Floats, Outputs
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.bench.models.variant import CLASSIFY, DETECT, SEGMENT

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

    def read(self, path: Path, classes: int, names: Sequence[str], /) -> Any:
        """Return the images that a path names, each with what so many classes tell apart.

        Raises BenchError for the first bad one.
        """
        ...

    def preprocess(
        self, dataset: Any, indices: Sequence[int], preprocessing: Preprocessing, /
    ) -> Floats:
        """Return inputs (N, channels, height, width) of some images."""
        ...

    def answer(self, outputs: Outputs, variant: Any, /) -> Answers:
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

    def doubts(
        self, accuracy: Any, reference: Any, dataset: Any, preprocessing: Preprocessing, /
    ) -> list[str]:
        """Return what seems to be wrong with data that give such a score."""
        ...


_TASKS: dict[str, _Task] = {
    CLASSIFY: classification,
    DETECT: detection,
    SEGMENT: segmentation,
}


@dataclass(frozen=True)
class Evaluation:
    """Images, as a checkpoint wants to see them, and what PyTorch answers."""

    variant: Network
    dataset: Dataset
    preprocessing: Preprocessing
    answers: Path  # .npy, PyTorch's

    def reference(self) -> Answers:
        """Return PyTorch's answers; they stay in their file until they are looked at."""
        answers: Answers = np.load(self.answers, mmap_mode="r")
        return answers


def read_data(path: Path, task: str, classes: int, names: Sequence[str] = ()) -> Dataset:
    """Return the images that a path names, in the format of a task's data.

    `classes` are as many as a network tells apart, background included where the task has one, and
    `names` what they are called, if that is known.

    Raises BenchError naming the first file that is missing, damaged or annotated wrongly.
    """
    dataset: Dataset = _TASKS[task].read(path, classes, names)
    return dataset


def check_shown(dataset: Dataset, preprocessing: Preprocessing) -> None:
    """Raise BenchError naming the first image that is too small for a network to be shown."""
    if isinstance(dataset, LabelDataset):
        check_sizes(dataset, preprocessing)


def preprocess_files(task: str, files: Sequence[Path], preprocessing: Preprocessing) -> Floats:
    """Return inputs (N, channels, height, width) of images without labels, as a task wants them."""
    unlabelled = _unlabelled(task, files)
    return _TASKS[task].preprocess(unlabelled, range(len(files)), preprocessing)


def check_files(task: str, files: Sequence[Path], preprocessing: Preprocessing) -> None:
    """Raise BenchError naming the first of such images that is too small for a network."""
    check_shown(_unlabelled(task, files), preprocessing)


def _unlabelled(task: str, files: Sequence[Path]) -> Dataset:
    found: dict[str, Dataset] = {
        CLASSIFY: LabelDataset("", tuple(files), (), ""),
        DETECT: CocoDataset("", tuple(files), (), (), ""),
        SEGMENT: VocDataset("", tuple(files), (), ""),
    }
    return found[task]


def count_batches(variant: Network, dataset: Dataset) -> int:
    """Return in how many batches a network predicts on the images."""
    return ceil(len(dataset) / _TASKS[variant.task].BATCH)


def predict(
    variant: Network,
    dataset: Dataset,
    preprocessing: Preprocessing,
    infer: Callable[[Floats], Outputs],
) -> Iterator[np.ndarray]:
    """Yield a network's prediction for each image; outputs of one batch are in memory at once."""
    task = _TASKS[variant.task]
    for start in range(0, len(dataset), task.BATCH):
        batch = range(start, min(start + task.BATCH, len(dataset)))
        inputs = in_layout(task.preprocess(dataset, batch, preprocessing), variant)
        yield from task.answer(infer(inputs), variant)


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


def doubts(evaluation: Evaluation, accuracy: Accuracy) -> list[str]:
    """Return warnings about a score: what was noticed in the data, and why it may be at chance."""
    task = _TASKS[evaluation.variant.task]
    found: list[str] = task.doubts(
        accuracy, evaluation.reference(), evaluation.dataset, evaluation.preprocessing
    )
    return [*evaluation.dataset.notes, *found]
