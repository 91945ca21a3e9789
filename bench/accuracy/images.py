"""Image files: whether they are whole, and from their pixels to a network's input."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from mobilebench.bench.measure.fidelity import Floats
from mobilebench.targets.errors import BenchError


@dataclass(frozen=True)
class Preprocessing:
    """From an image file to a network's input, as a checkpoint declares it.

    A classifier is shown the centre, after the shorter side was resized if that is asked for; what
    a detector and a segmenter are shown, `coco` and `voc` say. Pixels scaled to 0..1 become
    (pixel - mean) / std, by channel.
    """

    height: int
    width: int
    resize: int | None  # pixels of the shorter side (a segmenter's longer); None: as the image is
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def normalised(pixels: np.ndarray, preprocessing: Preprocessing) -> Floats:
    """Return (N, 3, H, W) of pixels (N, H, W, 3) in 0..255, as the checkpoint wants them."""
    mean = np.array(preprocessing.mean, np.float32)
    std = np.array(preprocessing.std, np.float32)
    scaled = (pixels.astype(np.float32) / 255 - mean) / std
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


def rgb(file: Path) -> Image.Image:
    """Return an image that was found whole, with three channels."""
    with Image.open(file) as opened:
        return opened.convert("RGB")


def whole_image(file: Path, path: Path, what: str = "image") -> bytes:
    """Return a file's bytes; raises BenchError, naming the data's `path`, if it does not decode."""
    try:
        with Image.open(file) as image:
            image.load()
        return file.read_bytes()
    except FileNotFoundError:
        raise BenchError(f"data {path}: {what} {file} is missing") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BenchError(f"data {path}: {what} {file} is damaged: {error}") from None


def csv_rows(path: Path, columns: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line numbers and rows below the header; raises BenchError for what is not a CSV."""
    try:
        with path.open(newline="") as file:
            rows = list(csv.reader(file))[1:]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BenchError(f"data {path}: not a CSV file of {columns}: {error}") from None
    yield from ((number, row) for number, row in enumerate(rows, 2) if row)
