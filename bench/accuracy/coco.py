"""Images with boxes, in COCO's format: which there are, and what a detector is shown of them."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np
from PIL import Image

from mobilebench.bench.accuracy.images import normalised, rgb, whole_image
from mobilebench.bench.accuracy.resampling import bilinear
from mobilebench.bench.extras import import_extra
from mobilebench.bench.models.architecture import CLASSES
from mobilebench.bench.models.outputs import Floats
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.bench.models.variant import DETECT
from mobilebench.targets.errors import BenchError

ANNOTATIONS = "annotations.json"
_CATEGORIES = CLASSES[DETECT] - 1  # ids 1 to 90, of which COCO uses 80
_PREFIX = "instances_"
_MAX_PIXELS = 1e6


@dataclass(frozen=True)
class Truth:
    """One annotated object."""

    image: int  # which of the data's images, from 0
    category: int  # COCO's id, 1..90
    box: tuple[float, float, float, float]  # x, y, width, height in pixels
    crowd: bool  # many objects in one box: what is found in it is neither right nor wrong


@dataclass(frozen=True)
class CocoDataset:
    """Image files with the objects that are on them."""

    name: str  # what reports call it
    files: tuple[Path, ...]
    sizes: tuple[tuple[int, int], ...]  # height and width of each, in pixels
    truths: tuple[Truth, ...]
    sha256: str  # of the images and their objects

    def __len__(self) -> int:
        return len(self.files)


def read(path: Path) -> CocoDataset:
    """Return the images that a path names.

    The path is a JSON file of COCO's object annotations, or a directory with an
    `annotations.json` or with one `annotations/instances_*.json`. All images lie in one
    directory, the first of these that has the first of them: the one named as the split
    (`val2017` for `instances_val2017.json`), `images`, and the one the JSON is in; for a JSON in
    a directory `annotations` also those beside that directory. Files that the JSON does not name
    are left alone.

    Raises BenchError naming the first image that is missing, damaged or of another size, and the
    first annotation of another image or category.
    """
    for module in ("pycocotools.cocoeval", "onnxruntime"):  # what the answers will need
        import_extra(module, "data")
    path = _find_annotations(path)
    content = _parse(path)
    images = _images(content["images"], path)
    truths = _truths(content["annotations"], list(images), path)
    folder = _find_folder(path, next(iter(images.values()))["file_name"])
    digest = hashlib.sha256(repr(truths).encode())
    files, sizes = [], []
    for image in images.values():
        file = folder / image["file_name"]
        digest.update(whole_image(file, path))
        files.append(file)
        sizes.append(_size(file, image, path))
    name = path.resolve().parent.name if path.name == ANNOTATIONS else _split(path)
    return CocoDataset(name, tuple(files), tuple(sizes), truths, digest.hexdigest())


def preprocess(
    dataset: CocoDataset, indices: Sequence[int], preprocessing: Preprocessing
) -> Floats:
    """Return inputs (N, 3, height, width) of some images.

    Both sides are resized to the network's, whatever their ratio, as TensorFlow's
    `fixed_shape_resizer` does it; `preprocessing.resize` has no part in it.
    """
    size = (preprocessing.height, preprocessing.width)
    shown = [bilinear(np.asarray(rgb(dataset.files[index])), *size) for index in indices]
    return normalised(np.stack(shown), preprocessing)


def _find_annotations(path: Path) -> Path:
    if not path.exists():
        raise BenchError(f"data {path}: no such file or directory")
    if not path.is_dir():
        return path
    if (path / ANNOTATIONS).is_file():
        return path / ANNOTATIONS
    found = sorted((path / "annotations").glob(f"{_PREFIX}*.json"))
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise BenchError(f"data {path}: has several annotations ({names}); name one of the files")
    if not found:
        raise BenchError(
            f"data {path}: has no {ANNOTATIONS} and no annotations/{_PREFIX}*.json; a detector "
            "wants COCO's format"
        )
    return found[0]


def _find_folder(path: Path, first: str) -> Path:
    """Return the directory of the images."""
    beside = [path.parent]
    if path.parent.name == "annotations":
        beside.append(path.parent.parent)
    folders = [folder for base in beside for folder in (base / _split(path), base / "images", base)]
    for folder in folders:
        if (folder / first).is_file():
            return folder
    sought = ", ".join(str(folder) for folder in folders)
    raise BenchError(f"data {path}: image {first} is missing; it was sought in {sought}")


def _split(path: Path) -> str:
    return path.stem.removeprefix(_PREFIX)


def _parse(path: Path) -> dict[str, list[Any]]:
    try:
        content: dict[str, list[Any]] = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise BenchError(f"data {path}: not a JSON file of annotations: {error}") from None
    for key in ("images", "annotations"):
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise BenchError(f"data {path}: has no list {key!r}, which COCO's format has")
        if not content[key]:
            raise BenchError(f"data {path}: its list {key!r} is empty")
    return content


def _images(entries: list[Any], path: Path) -> dict[int | str, dict[str, Any]]:
    """Return the images by their ids."""
    found: dict[int | str, dict[str, Any]] = {}
    for number, entry in enumerate(entries):
        known = entry if isinstance(entry, dict) else {}
        identity, file = known.get("id"), known.get("file_name")
        if not isinstance(identity, int | str) or not isinstance(file, str) or not file:
            raise BenchError(f"data {path}: image {number} of its list has no id or no file_name")
        if identity in found:
            raise BenchError(f"data {path}: two of its images have the id {identity}")
        found[identity] = known
    return found


def _truths(entries: list[Any], images: list[int | str], path: Path) -> tuple[Truth, ...]:
    index = {identity: number for number, identity in enumerate(images)}
    found = []
    for number, entry in enumerate(entries):
        known: dict[str, Any] = entry if isinstance(entry, dict) else {}
        what = f"data {path}: annotation {known.get('id', f'{number} of its list')}"
        identity, category = known.get("image_id"), known.get("category_id")
        if not isinstance(identity, int | str) or identity not in index:
            raise BenchError(f"{what} is of image {identity}, which is not among its images")
        if type(category) is not int or not 1 <= category <= _CATEGORIES:
            raise BenchError(
                f"{what} has category {category}; COCO's category ids are 1 to {_CATEGORIES}"
            )
        box = known.get("bbox")
        if not _is_box(box):
            raise BenchError(f"{what} has bbox {box}, which is not x, y, width and height")
        x, y, width, height = map(float, box)
        crowd = bool(known.get("iscrowd", 0))
        found.append(Truth(index[identity], category, (x, y, width, height), crowd))
    if all(truth.crowd for truth in found):
        raise BenchError(f"data {path}: has crowds alone, and no object that could be found")
    return tuple(found)


def _is_box(box: Any) -> TypeGuard[list[float]]:
    return (
        isinstance(box, list)
        and len(box) == 4
        and all(type(number) in (int, float) and abs(number) < _MAX_PIXELS for number in box)
        and min(box[2:]) >= 0
    )


def _size(file: Path, image: dict[str, Any], path: Path) -> tuple[int, int]:
    """Return an image's height and width; the annotations, where they tell them, must agree."""
    with Image.open(file) as opened:
        width, height = opened.size
    declared = (image.get("width", width), image.get("height", height))
    if declared != (width, height):
        raise BenchError(
            f"data {path}: image {file} is {width}x{height}, its annotations are of "
            f"{declared[0]}x{declared[1]}"
        )
    return height, width
