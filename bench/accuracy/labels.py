"""Images with a class each: which there are, and what a classifier is shown of them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from mobilebench.bench.accuracy.images import csv_rows, normalised, rgb, whole_image
from mobilebench.bench.models.architecture import CLASSES
from mobilebench.bench.models.outputs import Floats
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.bench.models.variant import CLASSIFY
from mobilebench.targets.errors import BenchError

LABELS = "labels.csv"
_CLASSES = CLASSES[CLASSIFY]
_SUFFIXES = {".jpeg", ".jpg", ".png", ".webp", ".bmp"}


@dataclass(frozen=True)
class LabelDataset:
    """Image files with the index of each one's class."""

    name: str  # what reports call it
    files: tuple[Path, ...]
    labels: tuple[int, ...]
    sha256: str  # of the images and their labels

    def __len__(self) -> int:
        return len(self.files)


def read(path: Path) -> LabelDataset:
    """Return the images that a path names.

    A CSV file has a header, and a file (relative to the CSV) and a class index in each row; a
    directory with a `labels.csv` stands for that. Any other directory has a directory for each
    class, as ImageNet has, in the alphabetical order of which classes are counted from 0.

    Raises BenchError naming the first file that is missing, damaged or has no such class.
    """
    if not path.exists():
        raise BenchError(f"data {path}: no such file or directory")
    if path.is_dir() and (path / LABELS).is_file():
        path = path / LABELS
    pairs = _class_folders(path) if path.is_dir() else _rows(path)
    digest = hashlib.sha256()
    for file, label in pairs:
        if not 0 <= label < _CLASSES:
            raise BenchError(
                f"data {path}: {file.name} has class {label}; classes are 0 to {_CLASSES - 1}"
            )
        digest.update(f"{label}:".encode() + whole_image(file, path))
    files, labels = zip(*pairs, strict=True)
    name = path.resolve().parent.name if path.name == LABELS else path.stem
    return LabelDataset(name, files, labels, digest.hexdigest())


def preprocess(
    dataset: LabelDataset, indices: Sequence[int], preprocessing: Preprocessing
) -> Floats:
    """Return inputs (N, 3, height, width) of some images; raises BenchError for a small one."""
    shown = np.stack([_pixels(dataset.files[index], preprocessing) for index in indices])
    return normalised(shown, preprocessing)


def _pixels(file: Path, preprocessing: Preprocessing) -> np.ndarray:
    image = rgb(file)
    if preprocessing.resize:
        scale = preprocessing.resize / min(image.size)
        width, height = (max(1, round(side * scale)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    left = (image.width - preprocessing.width) // 2
    top = (image.height - preprocessing.height) // 2
    if left < 0 or top < 0:
        raise BenchError(
            f"image {file}: is {image.width}x{image.height}, the network takes "
            f"{preprocessing.width}x{preprocessing.height}; declare `resize` in the checkpoint's "
            "manifest"
        )
    box = (left, top, left + preprocessing.width, top + preprocessing.height)
    return np.asarray(image.crop(box))


def _rows(path: Path) -> list[tuple[Path, int]]:
    found = []
    for number, row in csv_rows(path, "image and class index"):
        if len(row) < 2 or not row[1].strip().lstrip("-").isdigit():
            raise BenchError(
                f"data {path}, line {number}: {','.join(row)!r} is not an image and a class index"
            )
        found.append((path.parent / row[0].strip(), int(row[1])))
    if not found:
        raise BenchError(
            f"data {path}: names no images; a classifier wants an image and its class index a row"
        )
    return found


def _class_folders(path: Path) -> list[tuple[Path, int]]:
    folders = sorted(folder for folder in path.iterdir() if folder.is_dir())
    found = [
        (file, label)
        for label, folder in enumerate(folders)
        for file in sorted(folder.iterdir())
        if file.suffix.lower() in _SUFFIXES
    ]
    if not found:
        raise BenchError(
            f"data {path}: has no images in a directory for each class, and no {LABELS}"
        )
    if len(folders) != _CLASSES:
        raise BenchError(
            f"data {path}: has {len(folders)} class directories, the network has {_CLASSES} "
            f"classes; name the images and their classes in a {LABELS} instead"
        )
    return found
