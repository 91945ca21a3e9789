"""The inputs on which the ranges of activations are observed."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mobilebench.bench.accuracy import coco, labels, voc
from mobilebench.bench.accuracy.data_error import DataError
from mobilebench.bench.accuracy.evaluation import check_files, preprocess_files
from mobilebench.bench.accuracy.image_files import images_below
from mobilebench.bench.accuracy.images import ImageCheck
from mobilebench.bench.accuracy.mask_files import VOC_IMAGES, photos_among
from mobilebench.bench.models.class_names import usual_names
from mobilebench.bench.models.onnx_network import OTHER, Network, OnnxNetwork, in_layout
from mobilebench.bench.models.outputs import Floats, seeded_inputs
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.bench.models.variant import CLASSES, CLASSIFY, DETECT, MAX_CLASSES, SEGMENT
from mobilebench.targets.errors import BenchError

LEAST_IMAGES, MOST_IMAGES = 10, 100
_SEEDED_INPUTS, _SEED = 16, 8  # of noise; another seed than the reference's


@dataclass(frozen=True)
class Calibration:
    """Image files, or none for seeded noise; their labels do not matter."""

    name: str = "seeded noise"  # what reports call it
    files: tuple[Path, ...] = ()
    sha256: str = ""  # of the images
    labelled_for: str = ""  # the task of their labels, where they have some

    def inputs(self, variant: Network, preprocessing: Preprocessing) -> Iterator[Floats]:
        """Yield inputs (1, 3, H, W), preprocessed as those of an evaluation are."""
        for _, values in self.named_inputs(variant, preprocessing):
            yield values

    def named_inputs(
        self, variant: Network, preprocessing: Preprocessing
    ) -> Iterator[tuple[str, Floats]]:
        """Yield inputs (1, 3, H, W), each with what it is called in errors."""
        if not self.files:
            seeded = seeded_inputs(variant.input_shape, _SEED, _SEEDED_INPUTS)[:, None]
            yield from ((f"seeded input {number}", one) for number, one in enumerate(seeded))
        for file in self.files:
            shown = preprocess_files(variant.task, [file], preprocessing)
            yield f"image {file}", in_layout(shown, variant)

    def check_shown_to(self, variant: Network, preprocessing: Preprocessing) -> None:
        """Raise BenchError if the images cannot be shown to a network, naming one too small."""
        if not self.files or (isinstance(variant, OnnxNetwork) and variant.quantized):
            return
        if variant.task == OTHER:
            raise BenchError(
                f"calibration {self.name}: {variant.name} takes {variant.input_shape}, and how "
                "images become that is not known; leave out --calibration"
            )
        if self.labelled_for not in ("", variant.task):
            raise BenchError(
                f"calibration {self.name}: its labels are for the task {self.labelled_for!r}, and "
                f"{variant.name} is for {variant.task!r}; give data of that task, or a directory "
                "of images alone"
            )
        check_files(variant.task, self.files, preprocessing)


def find_calibration(source: str) -> Calibration:
    """Return what `--calibration` names: images, or noise if it is empty; raises BenchError."""
    if not source:
        return Calibration()
    try:
        return read_calibration(Path(source))
    except DataError as error:
        raise BenchError(f"calibration {error.said}") from error


def read_calibration(path: Path) -> Calibration:
    """Return about a hundred of the images below a directory, evenly spread.

    Data in a format of `--data` gives the images that it names, without masks; of any other
    directory all images count, however deep, except hidden ones, what archives leave behind, and
    masks of the others; of VOC's layout those in `JPEGImages` alone.
    Raises BenchError if there are fewer than ten, or one is damaged.
    """
    files = images_named(path, "calibration")
    if len(files) < LEAST_IMAGES:
        raise BenchError(
            f"calibration {path}: has {len(files)} images; give at least {LEAST_IMAGES}, better "
            f"{MOST_IMAGES}, of the kind that the network will see"
        )
    count = min(len(files), MOST_IMAGES)
    taken = tuple(files[number * len(files) // count] for number in range(count))
    digest, check = hashlib.sha256(), ImageCheck(path)
    for file in taken:
        digest.update(check.read(file))
    directory = path if path.is_dir() else path.parent
    name = directory.resolve().name
    return Calibration(name, taken, digest.hexdigest(), _labelled_for(path))


def images_named(path: Path, what: str) -> tuple[Path, ...]:
    """Return the images below a directory or that data name, as `read_calibration` has it.

    Raises BenchError, which begins with `what`, if there is nothing of that path.
    """
    if not path.exists():
        raise BenchError(f"{what} {path}: no such file or directory")
    task = _labelled_for(path)
    if task == DETECT:
        return coco.read_files(path)
    if task == SEGMENT:
        return voc.read_files(path)
    if task == CLASSIFY:
        return labels.read(path, MAX_CLASSES, usual_names(CLASSIFY, CLASSES[CLASSIFY])).files
    if not path.is_dir():
        raise BenchError(
            f"{what} {path}: is not a directory of images, nor a list that --data takes"
        )
    photos = path / VOC_IMAGES
    below = photos if photos.is_dir() else path
    return tuple(photos_among(below, tuple(images_below(below))))


def _labelled_for(path: Path) -> str:
    """Return the task in whose format of `--data` a path is; of images alone an empty text."""
    if path.suffix.lower() == ".json":
        return DETECT
    lists = (path / voc.MASKS, path / voc.SPLIT)
    if path.name == voc.MASKS or any(map(Path.is_file, lists)) or _is_split(path):
        return SEGMENT
    listed = any((path / name).is_file() for name in labels.LISTS)
    return CLASSIFY if listed or path.suffix.lower() in {".csv", ".tsv", ".txt"} else ""


def _is_split(path: Path) -> bool:
    """Whether a file is a list in VOC's layout, of names alone."""
    return path.suffix.lower() == ".txt" and path.resolve().parents[1].name == voc.SPLIT.parts[0]
