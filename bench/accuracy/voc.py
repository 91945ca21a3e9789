"""Images with a class for each pixel, in PASCAL VOC's format, and what a segmenter is shown."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mobilebench.bench.accuracy.images import csv_rows, normalised, rgb, whole_image
from mobilebench.bench.accuracy.resampling import bilinear, nearest
from mobilebench.bench.models.architecture import CLASSES
from mobilebench.bench.models.outputs import Floats
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.bench.models.variant import SEGMENT
from mobilebench.targets.errors import BenchError

MASKS = "masks.csv"
SPLIT = Path("ImageSets", "Segmentation", "val.txt")
IGNORED = 255  # a pixel of no class: VOC's outlines, and what an image is padded with
_CLASSES = CLASSES[SEGMENT]
_SUFFIXES = (".jpg", ".png", ".jpeg")

Labels = NDArray[np.uint8]


@dataclass(frozen=True)
class VocDataset:
    """Image files with the mask of each one: a file with a class index in each pixel."""

    name: str  # what reports call it
    images: tuple[Path, ...]
    masks: tuple[Path, ...]
    sha256: str  # of the images and their masks

    def __len__(self) -> int:
        return len(self.images)


def read(path: Path) -> VocDataset:
    """Return the images that a path names.

    The path is a directory of VOC's layout (`JPEGImages`, `SegmentationClass`, and
    `ImageSets/Segmentation/val.txt`, which names the images), or another list of that layout
    (`.../ImageSets/Segmentation/NAME.txt`); or a CSV file with a header, and an image and its
    mask, both relative to the CSV, in each row; a directory with a `masks.csv` stands for that.
    Masks are palette or grey images of class indices, 0 to 20, and 255 where no class counts.

    Raises BenchError naming the first file that is missing, damaged, of another size than its
    image or of other classes.
    """
    if not path.exists():
        raise BenchError(f"data {path}: no such file or directory")
    if path.is_dir():
        path = path / MASKS if (path / MASKS).is_file() else path / SPLIT
    if not path.is_file():
        raise BenchError(
            f"data {path.parents[2]}: has no {MASKS} and no {SPLIT}; a segmenter wants VOC's format"
        )
    pairs = _listed(path) if path.suffix == ".txt" else _rows(path)
    if not pairs:
        raise BenchError(f"data {path}: names no images and masks; a segmenter wants VOC's format")
    digest = hashlib.sha256()
    labelled = False
    for image, mask in pairs:
        digest.update(whole_image(image, path) + whole_image(mask, path, "mask"))
        labelled = _check_mask(image, mask, path) or labelled
    if not labelled:
        raise BenchError(f"data {path}: no mask has a class in any pixel; all are {IGNORED}")
    images, masks = zip(*pairs, strict=True)
    name = path.resolve().parent.name if path.name == MASKS else path.stem
    return VocDataset(name, images, masks, digest.hexdigest())


def preprocess(dataset: VocDataset, indices: Sequence[int], preprocessing: Preprocessing) -> Floats:
    """Return inputs (N, 3, height, width) of some images.

    An image keeps its aspect ratio and lies in the upper left corner; the rest has the mean
    colour, which is 0 to the network. It is resized if the preprocessing says so, so that its
    *longer* side has that many pixels, or if it is larger than the input. (DeepLab is evaluated
    so: VOC's images, at most 500 pixels long, are padded to 513 and not resized.)
    """
    shown = np.zeros((len(indices), 3, preprocessing.height, preprocessing.width), np.float32)
    for place, index in zip(shown, indices, strict=True):
        pixels = np.asarray(rgb(dataset.images[index]))
        size = _shown_size(pixels.shape, preprocessing)
        resized = bilinear(pixels, *size, align_corners=True)
        place[:, : size[0], : size[1]] = normalised(resized[None], preprocessing)[0]
    return shown


def shown_labels(
    dataset: VocDataset, indices: Sequence[int], preprocessing: Preprocessing
) -> Labels:
    """Return the class of each pixel of the inputs (N, height, width), 255 where none counts.

    Answers are compared at the network's resolution, as DeepLab's evaluation does it: where the
    image was resized, its mask is too, and its padding does not count.
    """
    shown = np.full((len(indices), preprocessing.height, preprocessing.width), IGNORED, np.uint8)
    for place, index in zip(shown, indices, strict=True):
        labels = _labels(dataset.masks[index])
        size = _shown_size(labels.shape, preprocessing)
        place[: size[0], : size[1]] = nearest(labels, *size)
    return shown


def _shown_size(shape: tuple[int, ...], preprocessing: Preprocessing) -> tuple[int, int]:
    """Return an image's height and width in the input, of its own."""
    height, width = shape[:2]
    longer = max(height, width)
    scale = min(
        Fraction(preprocessing.resize or longer, longer),
        Fraction(preprocessing.height, height),
        Fraction(preprocessing.width, width),
    )
    return ceil(height * scale), ceil(width * scale)


def _listed(path: Path) -> list[tuple[Path, Path]]:
    """Return images and masks of a list in VOC's layout."""
    try:
        names = path.read_text().split()
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"data {path}: not a list of images: {error}") from None
    root = path.resolve().parent.parent.parent
    return [
        (_image(root / "JPEGImages", name), root / "SegmentationClass" / f"{name}.png")
        for name in names
    ]


def _image(folder: Path, name: str) -> Path:
    candidates = [folder / f"{name}{suffix}" for suffix in _SUFFIXES]
    return next((file for file in candidates if file.is_file()), candidates[0])


def _rows(path: Path) -> list[tuple[Path, Path]]:
    found = []
    for number, row in csv_rows(path, "image and mask"):
        names = [name.strip() for name in row]
        if len(names) < 2 or not all(names[:2]):
            raise BenchError(
                f"data {path}, line {number}: {','.join(row)!r} is not an image and a mask"
            )
        found.append((path.parent / names[0], path.parent / names[1]))
    return found


def _labels(mask: Path) -> Labels:
    with Image.open(mask) as opened:
        return np.array(opened, np.uint8)


def _check_mask(image: Path, mask: Path, path: Path) -> bool:
    """Return whether a mask has a class anywhere; raises BenchError if it is not the image's."""
    with Image.open(image) as opened, Image.open(mask) as labels:
        if labels.mode not in ("P", "L"):
            raise BenchError(
                f"data {path}: mask {mask} is an image of mode {labels.mode}; a mask has a palette "
                "or is grey, and its pixels are class indices"
            )
        if labels.size != opened.size:
            raise BenchError(
                f"data {path}: mask {mask} is {labels.width}x{labels.height}, its image "
                f"{opened.width}x{opened.height}"
            )
    classes = np.unique(_labels(mask))
    if wrong := [int(one) for one in classes if _CLASSES <= one != IGNORED]:
        raise BenchError(
            f"data {path}: mask {mask} has class {wrong[0]}; classes are 0 to {_CLASSES - 1}, and "
            f"{IGNORED} where none counts"
        )
    return bool((classes != IGNORED).any())
