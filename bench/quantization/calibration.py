"""The inputs on which the ranges of activations are observed."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mobilebench.bench.accuracy import coco, labels, voc
from mobilebench.bench.accuracy.evaluation import preprocess_files
from mobilebench.bench.accuracy.images import whole_image
from mobilebench.bench.models.outputs import Floats, seeded_inputs
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.bench.models.variant import Variant
from mobilebench.targets.errors import BenchError

LEAST_IMAGES, MOST_IMAGES = 10, 100
_SEEDED_INPUTS, _SEED = 16, 8  # of noise; another seed than the reference's
_SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".webp"}


@dataclass(frozen=True)
class Calibration:
    """Image files, or none for seeded noise; their labels do not matter."""

    name: str = "seeded noise"  # what reports call it
    files: tuple[Path, ...] = ()
    sha256: str = ""  # of the images

    def inputs(self, variant: Variant, preprocessing: Preprocessing) -> Iterator[Floats]:
        """Yield inputs (1, 3, H, W), preprocessed as those of an evaluation are."""
        if not self.files:
            yield from seeded_inputs(variant.input_shape, _SEED, _SEEDED_INPUTS)[:, None]
        for file in self.files:
            yield preprocess_files(variant.task, [file], preprocessing)


def find_calibration(source: str) -> Calibration:
    """Return what `--calibration` names: images, or noise if it is empty; raises BenchError."""
    return read_calibration(Path(source)) if source else Calibration()


def read_calibration(path: Path) -> Calibration:
    """Return about a hundred of the images below a directory, evenly spread.

    Data in a format of `--data` gives the images that it names, without masks; of any other
    directory all images count, however deep. Raises BenchError if there are fewer than ten, or one
    is damaged.
    """
    if not path.exists():
        raise BenchError(f"calibration {path}: no such file or directory")
    files = _files(path)
    if len(files) < LEAST_IMAGES:
        raise BenchError(
            f"calibration {path}: has {len(files)} images; give at least {LEAST_IMAGES}, better "
            f"{MOST_IMAGES}, of the kind that the network will see"
        )
    count = min(len(files), MOST_IMAGES)
    taken = tuple(files[number * len(files) // count] for number in range(count))
    digest = hashlib.sha256()
    for file in taken:
        digest.update(whole_image(file, path))
    directory = path if path.is_dir() else path.parent
    return Calibration(directory.resolve().name, taken, digest.hexdigest())


def _files(path: Path) -> tuple[Path, ...]:
    if path.suffix.lower() == ".json":
        return coco.read(path).files
    lists = (path / voc.MASKS, path / voc.SPLIT)
    if path.name == voc.MASKS or path.suffix.lower() == ".txt" or any(map(Path.is_file, lists)):
        return voc.read(path).images
    if path.suffix.lower() == ".csv" or (path / labels.LABELS).is_file():
        return labels.read(path).files
    if not path.is_dir():
        raise BenchError(
            f"calibration {path}: is not a directory of images, nor a list that --data takes"
        )
    return tuple(file for file in sorted(path.rglob("*")) if _is_image(file, path))


def _is_image(file: Path, directory: Path) -> bool:
    hidden = any(part.startswith((".", "__")) for part in file.relative_to(directory).parts)
    return file.suffix.lower() in _SUFFIXES and not hidden and file.is_file()
