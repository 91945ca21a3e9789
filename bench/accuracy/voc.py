"""Images with a class for each pixel, in PASCAL VOC's format, and what a segmenter is shown."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from mobilebench.bench.accuracy.data_error import DataError
from mobilebench.bench.accuracy.images import ImageCheck, normalised, seen, upright_size
from mobilebench.bench.accuracy.mask_classes import find_class_list, understand
from mobilebench.bench.accuracy.mask_lists import read_pairs, read_split
from mobilebench.bench.accuracy.masks import (
    IGNORED,
    PLAIN,
    Labels,
    Meaning,
    Pixel,
    distinct,
    read_pixels,
)
from mobilebench.bench.accuracy.resampling import bilinear, nearest
from mobilebench.bench.models.class_names import usual_names
from mobilebench.bench.models.outputs import Floats
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.bench.models.variant import CLASSES, SEGMENT

MASKS = "masks.csv"
SPLIT = Path("ImageSets", "Segmentation", "val.txt")

_Read = TypeVar("_Read")


@dataclass(frozen=True)
class VocDataset:
    """Image files with the mask of each one, a file that tells the class of each pixel."""

    name: str  # what reports call it
    images: tuple[Path, ...]
    masks: tuple[Path, ...]
    sha256: str  # of the images and their masks
    classes: int = CLASSES[SEGMENT]  # that masks tell apart, background included
    notes: tuple[str, ...] = ()  # what was noticed in the data
    meaning: Meaning = PLAIN  # of the masks' pixels

    def __len__(self) -> int:
        return len(self.images)


def read(path: Path, classes: int = CLASSES[SEGMENT], names: Sequence[str] = ()) -> VocDataset:
    """Return the images that a path names, with masks of so many classes.

    The path is a directory of VOC's layout (`JPEGImages`, `SegmentationClass`, and
    `ImageSets/Segmentation/val.txt`, which names the images), or another list of that layout
    (`.../ImageSets/Segmentation/NAME.txt`); or a list of images and masks, both relative to it; a
    directory with a `masks.csv` stands for that. Masks are of class indices from 0, and 255 where
    no class counts, of VOC's colours, or what a list of classes beside the data says
    (`mask_classes`).

    Raises BenchError naming the first file that is missing, damaged, of another size than its
    image or of other classes.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or directory")
    if classes > IGNORED:
        raise DataError(
            f"{path}: masks tell {IGNORED} classes apart at most, the network {classes}; "
            "leave out the data"
        )
    if path.is_dir():
        path = path / MASKS if (path / MASKS).is_file() else path / SPLIT
    if not path.is_file():
        raise DataError(
            f"{path.parents[2]}: has no {MASKS} and no {SPLIT}; a segmenter wants VOC's format"
        )
    root = _root(path)
    pairs = read_pairs(path) if root == path.parent else read_split(path, root)
    if not pairs:
        raise DataError(f"{path}: names no images and masks; a segmenter wants VOC's format")
    named, pairs = len(pairs), list(dict.fromkeys(pairs))
    again = named - len(pairs)
    repeated = (f"{again} images are named again in {path.name} and count once",) if again else ()
    digest, check = hashlib.sha256(), ImageCheck(path)
    seen: set[Pixel] = set()
    for image, mask in pairs:
        digest.update(check.read(image) + check.read(mask, "mask"))
        _check_size(image, mask, path)
        seen |= set(_of_mask(mask, path, lambda mask: distinct(read_pixels(mask))))
    names = names or usual_names(SEGMENT, classes)
    understood = understand(seen, classes, names, find_class_list(root), f"{path}")
    meaning = understood.meaning
    # All that count must be looked at: a list rejects what it does not know.
    labelled = [_check_classes(mask, meaning, classes, path) for _, mask in pairs]
    if not any(labelled):
        raise DataError(f"{path}: no mask has a class in any pixel; all are {IGNORED}")
    digest.update(repr(meaning).encode())
    images, masks = zip(*pairs, strict=True)
    name = path.resolve().parent.name if path.name == MASKS else path.stem
    notes = repeated + understood.notes + check.notes
    return VocDataset(name, images, masks, digest.hexdigest(), classes, notes, meaning)


def read_files(path: Path) -> tuple[Path, ...]:
    """Return the image files that a path names, without their masks."""
    if path.is_dir():
        path = path / MASKS if (path / MASKS).is_file() else path / SPLIT
    root = _root(path)
    pairs = read_pairs(path) if root == path.parent else read_split(path, root)
    return tuple(image for image, _ in pairs)


def preprocess(dataset: VocDataset, indices: Sequence[int], preprocessing: Preprocessing) -> Floats:
    """Return inputs (N, channels, height, width) of some images.

    An image keeps its aspect ratio and lies in the upper left corner; the rest has the mean
    colour, which is 0 to the network. It is resized if the preprocessing says so, so that its
    *longer* side has that many pixels, or if it is larger than the input. (DeepLab is evaluated
    so: VOC's images, at most 500 pixels long, are padded to 513 and not resized.)
    """
    shape = (preprocessing.channels, preprocessing.height, preprocessing.width)
    shown = np.zeros((len(indices), *shape), np.float32)
    for place, index in zip(shown, indices, strict=True):
        mask_size = _mask_size(dataset.masks[index]) if dataset.masks else None
        pixels = seen(dataset.images[index], preprocessing.channels, mask_size)
        place[:] = on_mean_colour(fitted(pixels, preprocessing), preprocessing)
    return shown


def fitted(pixels: np.ndarray, preprocessing: Preprocessing) -> Floats:
    """Return pixels (height, width, channels) at the size at which a segmenter sees them."""
    size = _shown_size(pixels.shape, preprocessing)
    return bilinear(pixels, *size, align_corners=True)


def on_mean_colour(pixels: Floats, preprocessing: Preprocessing) -> Floats:
    """Return the input (channels, height, width) with these in the upper left corner."""
    shape = (preprocessing.channels, preprocessing.height, preprocessing.width)
    shown = np.zeros(shape, np.float32)
    shown[:, : pixels.shape[0], : pixels.shape[1]] = normalised(pixels[None], preprocessing)[0]
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
        labels = dataset.meaning.labels(dataset.masks[index])
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


def _root(path: Path) -> Path:
    """Return the directory that a list's names are relative to: of VOC's layout its root."""
    directory = path.resolve().parent
    in_layout = path.suffix == ".txt" and directory.parent.name == SPLIT.parts[0]
    return directory.parent.parent if in_layout else path.parent


def _mask_size(mask: Path) -> tuple[int, int]:
    with Image.open(mask) as opened:
        return opened.size


def _of_mask(mask: Path, path: Path, read: Callable[[Path], _Read]) -> _Read:
    """Return what is read from a mask; raises BenchError naming it."""
    try:
        return read(mask)
    except ValueError as error:
        raise DataError(f"{path}: mask {mask}: {error}") from None


def _check_size(image: Path, mask: Path, path: Path) -> None:
    """Raise BenchError if a mask is not of its image's size."""
    size = _mask_size(mask)
    if (own := upright_size(image, size)) != size:
        raise DataError(f"{path}: mask {mask} is {size[0]}x{size[1]}, its image {own[0]}x{own[1]}")


def _check_classes(mask: Path, meaning: Meaning, classes: int, path: Path) -> bool:
    """Return whether a mask has a class anywhere; raises BenchError for one that is not there."""
    found = np.unique(_of_mask(mask, path, meaning.labels))
    if wrong := [int(one) for one in found if classes <= one != IGNORED]:
        raise DataError(
            f"{path}: mask {mask} has class {wrong[0]}; classes are 0 to {classes - 1}, and "
            f"{IGNORED} where none counts; a classes.txt beside the data can say what else its "
            "values mean"
        )
    return bool((found != IGNORED).any())
