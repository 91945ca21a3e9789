"""Images with boxes, in COCO's format: which there are, and what a detector is shown of them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mobilebench.bench.accuracy.coco_boxes import Box, are_shares, beyond, box_of
from mobilebench.bench.accuracy.coco_categories import (
    Categories,
    Id,
    by_id,
    few,
    match_categories,
)
from mobilebench.bench.accuracy.data_error import DataError
from mobilebench.bench.accuracy.image_files import NamedFiles
from mobilebench.bench.accuracy.images import ImageCheck, normalised, seen, upright_size
from mobilebench.bench.accuracy.resampling import bilinear
from mobilebench.bench.extras import import_extra
from mobilebench.bench.models.class_names import usual_names
from mobilebench.bench.models.outputs import Floats
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.bench.models.variant import CLASSES, DETECT

ANNOTATIONS = "annotations.json"
_USUAL = (ANNOTATIONS, "_annotations.coco.json", "labels.json", "result.json")
"""What exporters call them."""
_PREFIX = "instances_"


@dataclass(frozen=True)
class Truth:
    """One annotated object."""

    image: int  # which of the data's images, from 0
    category: int  # the network's class, from 1; of COCO's classes the id
    box: Box  # x, y, width, height in pixels
    crowd: bool  # many objects in one box: what is found in it is neither right nor wrong


@dataclass(frozen=True)
class CocoDataset:
    """Image files with the objects that are on them."""

    name: str  # what reports call it
    files: tuple[Path, ...]
    sizes: tuple[tuple[int, int], ...]  # height and width of each, in pixels
    truths: tuple[Truth, ...]
    sha256: str  # of the images and their objects
    notes: tuple[str, ...] = ()  # what was noticed in the data

    def __len__(self) -> int:
        return len(self.files)


def read(path: Path, classes: int = CLASSES[DETECT], names: Sequence[str] = ()) -> CocoDataset:
    """Return the images that a path names, with objects of so many classes.

    The first class is background. If the classes have names, categories are matched with them, as
    `match_categories` has it; COCO's 91 classes are ids 1 to 90, of which it uses 80.

    The path is a JSON file of COCO's object annotations, or a directory with an
    `annotations.json` (or what other exporters call it), or with one
    `annotations/instances_*.json`. All images lie in one directory, the first of these that has
    the first of them: the one named as the split (`val2017` for `instances_val2017.json`),
    `images`, `data`, and the one the JSON is in; for a JSON in a directory `annotations` also
    those beside that directory. Files that the JSON does not name are left alone.

    Raises BenchError naming the first image that is missing, damaged or of another size, and the
    first annotation of another image or category.
    """
    for module in ("pycocotools.cocoeval", "onnxruntime"):  # what the answers will need
        import_extra(module, "data")
    path = _find_annotations(path)
    content = _parse(path)
    images = _images(content["images"], path)
    names = names or usual_names(DETECT, classes)
    categories = match_categories(content, classes, names, f"{path}")
    truths = _truths(content["annotations"], list(images), path, categories)
    digest, check = hashlib.sha256(repr(truths).encode()), ImageCheck(path)
    files = _files(images, path)
    sizes = []
    for file, image in zip(files, images.values(), strict=True):
        digest.update(check.read(file))
        sizes.append(_size(file, image, path))
    notes = (*categories.notes, *_doubtful(truths, sizes, path), *check.notes)
    name = path.resolve().parent.name if path.name in _USUAL else _split(path)
    return CocoDataset(name, files, tuple(sizes), truths, digest.hexdigest(), notes)


def read_files(path: Path) -> tuple[Path, ...]:
    """Return the image files that a path names, whatever is on them."""
    path = _find_annotations(path)
    return _files(_images(_parse(path)["images"], path), path)


def preprocess(
    dataset: CocoDataset, indices: Sequence[int], preprocessing: Preprocessing
) -> Floats:
    """Return inputs (N, channels, height, width) of some images.

    Both sides are resized to the network's, whatever their ratio, as TensorFlow's
    `fixed_shape_resizer` does it; `preprocessing.resize` has no part in it.
    """
    size = (preprocessing.height, preprocessing.width)
    shown = [bilinear(_pixels(dataset, index, preprocessing), *size) for index in indices]
    return normalised(np.stack(shown), preprocessing)


def _pixels(dataset: CocoDataset, index: int, preprocessing: Preprocessing) -> np.ndarray:
    """Return an image (height, width, channels) as it was when its objects were marked."""
    height, width = dataset.sizes[index] if dataset.sizes else (0, 0)
    return seen(dataset.files[index], preprocessing.channels, (width, height))


def _find_annotations(path: Path) -> Path:
    if not path.exists():
        raise DataError(f"{path}: no such file or directory")
    if not path.is_dir():
        return path
    for name in _USUAL:
        if (path / name).is_file():
            return path / name
    found = sorted((path / "annotations").glob(f"{_PREFIX}*.json"))
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise DataError(f"{path}: has several annotations ({names}); name one of the files")
    if not found:
        raise DataError(
            f"{path}: has no {ANNOTATIONS} and no annotations/{_PREFIX}*.json; a detector "
            "wants COCO's format"
        )
    return found[0]


def _files(images: Mapping[Id, dict[str, Any]], path: Path) -> tuple[Path, ...]:
    """Return the image files, all in the first directory that has the first of them.

    Names from another machine, with its directories, are found by what comes last in them.
    """
    names = [image["file_name"] for image in images.values()]
    last = [name.replace("\\", "/").rpartition("/")[2] for name in names]
    beside = [path.parent]
    if path.parent.name == "annotations":
        beside.append(path.parent.parent)
    folders = [
        folder
        for base in beside
        for folder in (base / _split(path), base / "images", base / "data", base)
    ]
    spelt = [names, last] if len(set(last)) == len(last) else [names]
    for said in spelt:
        for folder in folders:
            named = NamedFiles(folder)
            if named.find(said[0]).is_file():
                return tuple(named.find(name) for name in said)
    sought = ", ".join(str(folder) for folder in folders)
    raise DataError(f"{path}: image {names[0]} is missing; it was sought in {sought}")


def _split(path: Path) -> str:
    return path.stem.removeprefix(_PREFIX)


def _parse(path: Path) -> dict[str, list[Any]]:
    try:
        content: dict[str, list[Any]] = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: not a JSON file of annotations: {error}") from None
    for key in ("images", "annotations"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise DataError(f"{path}: has no list {key!r}, which COCO's format has")
        if not content[key]:
            raise DataError(f"{path}: its list {key!r} is empty")
    return content


def _images(entries: list[Any], path: Path) -> dict[Id, dict[str, Any]]:
    """Return the images by their ids."""
    found = by_id(entries, f"{path}", ("image", "images"), "file_name")
    names = set()
    for image in found.values():
        if image["file_name"] in names:
            raise DataError(f"{path}: two of its images are the file {image['file_name']}")
        names.add(image["file_name"])
    return found


def _truths(
    entries: list[Any], images: list[Id], path: Path, categories: Categories
) -> tuple[Truth, ...]:
    index = {identity: number for number, identity in enumerate(images)}
    found = []
    for number, entry in enumerate(entries):
        known: dict[str, Any] = entry if isinstance(entry, dict) else {}
        what = f"{path}: annotation {known.get('id', f'{number} of its list')}"
        identity, category = known.get("image_id"), known.get("category_id")
        if not isinstance(identity, int | str) or identity not in index:
            raise DataError(f"{what} is of image {identity}, which is not among its images")
        if not isinstance(category, int | str) or category not in categories.classes:
            raise DataError(
                f"{what} has category {category}, which is not among its categories; they are "
                f"{few(list(map(str, categories.classes)))}"
            )
        if (box := box_of(known)) is None:
            raise DataError(
                f"{what} has bbox {known.get('bbox')}, which is not x, y, width and height"
            )
        crowd = known.get("iscrowd") or 0
        if crowd not in (0, 1):
            raise DataError(f"{what} has iscrowd {crowd!r}, which is neither 0 nor 1")
        found.append(Truth(index[identity], categories.classes[category], box, bool(crowd)))
    if all(truth.crowd for truth in found):
        raise DataError(f"{path}: has crowds alone, and no object that could be found")
    return tuple(found)


def _doubtful(
    truths: Sequence[Truth], sizes: Sequence[tuple[int, int]], path: Path
) -> tuple[str, ...]:
    """Return what is unlikely in the boxes; raises BenchError if they are not in pixels."""
    if are_shares([truth.box for truth in truths]):
        raise DataError(
            f"{path}: every bbox is within 0 to 1; COCO's are x, y, width and height in pixels"
        )
    outside = sum(beyond(truth.box, sizes[truth.image]) for truth in truths)
    if not outside:
        return ()
    return (
        f"{outside} of {len(truths)} boxes reach beyond their image: COCO's are x, y, width and "
        "height in pixels, not two corners",
    )


def _size(file: Path, image: dict[str, Any], path: Path) -> tuple[int, int]:
    """Return an image's height and width; the annotations, where they tell them, must agree.

    Whether they are of the image as it is stored or turned as its EXIF data says, they tell too.
    """
    width, height = upright_size(file)
    declared = (image.get("width") or width, image.get("height") or height)
    if any(type(one) not in (int, float) for one in declared):
        raise DataError(
            f"{path}: width and height of image {file} are {declared[0]!r} and {declared[1]!r}, "
            "which are no numbers"
        )
    if declared != upright_size(file, declared):
        raise DataError(
            f"{path}: image {file} is {width}x{height}, its annotations are of "
            f"{declared[0]}x{declared[1]}"
        )
    return declared[1], declared[0]
