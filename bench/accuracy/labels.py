"""Images with a class each: which there are, and what a classifier is shown of them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mobilebench.bench.accuracy.class_folders import read_class_folders
from mobilebench.bench.accuracy.data_error import DataError
from mobilebench.bench.accuracy.images import ImageCheck, normalised, seen, upright_size
from mobilebench.bench.accuracy.label_lists import read_label_list
from mobilebench.bench.models.outputs import Floats
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.bench.models.variant import CLASSES, CLASSIFY
from mobilebench.targets.errors import BenchError

LABELS = "labels.csv"
LISTS = (LABELS, "labels.tsv", "val_map.txt")  # what a directory may have its list called


@dataclass(frozen=True)
class LabelDataset:
    """Image files with the index of each one's class."""

    name: str  # what reports call it
    files: tuple[Path, ...]
    labels: tuple[int, ...]
    sha256: str  # of the images and their labels
    # How the labels may be meant otherwise, and what they would be.
    other_labels: tuple[tuple[str, tuple[int, ...]], ...] = ()
    notes: tuple[str, ...] = ()  # what was noticed in the data
    names: tuple[str, ...] = ()  # of the network's classes, if they are known

    def class_name(self, label: int) -> str:
        """Return what a class is called in a sentence: class 300 (tiger beetle)."""
        return f"class {label} ({self.names[label]})" if self.names else f"class {label}"

    def __len__(self) -> int:
        return len(self.files)


def read(path: Path, classes: int = CLASSES[CLASSIFY], names: Sequence[str] = ()) -> LabelDataset:
    """Return the images that a path names, of so many classes, which may have names.

    A file is a list of images and class indices, as `read_label_list` has it; a directory with a
    `labels.csv`, `labels.tsv` or `val_map.txt` stands for that. Any other directory has a
    directory for each class, as `read_class_folders` has it.

    Raises BenchError naming the first file that is missing, damaged or has no such class.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or directory")
    if path.is_dir():
        path = next((path / name for name in LISTS if (path / name).is_file()), path)
    others: tuple[tuple[str, tuple[int, ...]], ...] = ()
    notes: tuple[str, ...] = ()
    if path.is_dir():
        folders = read_class_folders(path, classes, names)
        pairs = folders.pairs
        others, notes = folders.otherwise, folders.notes
    else:
        listed = read_label_list(path, names)
        pairs, notes = listed.pairs, listed.notes
    _check_classes(pairs, classes, path)
    digest, check = hashlib.sha256(), ImageCheck(path)
    for file, label in pairs:
        digest.update(f"{label}:".encode() + check.read(file))
    files, labels = zip(*pairs, strict=True)
    directory = path if path.is_dir() else path.parent
    name = directory.resolve().name if path.name in LISTS or path.is_dir() else path.stem
    return LabelDataset(
        name, files, labels, digest.hexdigest(), others, notes + check.notes, tuple(names)
    )


def preprocess(
    dataset: LabelDataset, indices: Sequence[int], preprocessing: Preprocessing
) -> Floats:
    """Return inputs (N, channels, height, width); raises BenchError for an image that is small."""
    shown = np.stack([_pixels(dataset.files[index], preprocessing) for index in indices])
    return normalised(shown, preprocessing)


def _pixels(file: Path, preprocessing: Preprocessing) -> np.ndarray:
    pixels = seen(file, preprocessing.channels, to=partial(shown_size, preprocessing.resize))
    return centre(file, pixels, preprocessing)


def centre(file: Path, pixels: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Return the part (height, width, channels) of resized pixels that a classifier is shown.

    Raises BenchError naming the file if they are too few.
    """
    left, top = _corner(file, (pixels.shape[1], pixels.shape[0]), preprocessing)
    return pixels[top : top + preprocessing.height, left : left + preprocessing.width]


def check_sizes(dataset: LabelDataset, preprocessing: Preprocessing) -> None:
    """Raise BenchError naming the first image that is smaller than what a network is shown."""
    for file in dataset.files:
        _corner(file, shown_size(preprocessing.resize, upright_size(file)), preprocessing)


def _corner(file: Path, size: tuple[int, int], preprocessing: Preprocessing) -> tuple[int, int]:
    """Return where the centre of an image of this width and height begins: left and top."""
    width, height = size
    left, top = (width - preprocessing.width) // 2, (height - preprocessing.height) // 2
    if left < 0 or top < 0:
        raise BenchError(
            f"image {file}: is {width}x{height}, the network takes "
            f"{preprocessing.width}x{preprocessing.height}; declare `resize` in the checkpoint's "
            "manifest"
        )
    return left, top


def shown_size(resize: int | None, size: tuple[int, int]) -> tuple[int, int]:
    """Return the width and height of an image whose shorter side is resized, of its own."""
    scale = resize / min(size) if resize else 1
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _check_classes(pairs: Sequence[tuple[Path, int]], classes: int, path: Path) -> None:
    """Raise BenchError naming the first image of a class that the network does not have."""
    for file, label in pairs:
        if 0 <= label < classes:
            continue
        low, high = (end(one for _, one in pairs) for end in (min, max))
        hint = ""
        if high == classes and low >= 1:
            hint = "; they seem to be counted from 1: subtract 1 from each"
        elif high == classes and low == 0:
            hint = "; if 0 is a background that the network does not have, subtract 1 from each"
        raise DataError(
            f"{path}: {file.name} has class {label}; classes are 0 to {classes - 1}{hint}"
        )
