"""Image files: whether they are whole, and from their pixels to a network's input."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from mobilebench.bench.models.outputs import Floats
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.targets.errors import BenchError


def normalised(pixels: np.ndarray, preprocessing: Preprocessing) -> Floats:
    """Return (N, 3, H, W) of pixels (N, H, W, 3) in 0..255, as the checkpoint wants them."""
    mean = np.array(preprocessing.mean, np.float32)
    std = np.array(preprocessing.std, np.float32)
    scaled = (pixels.astype(np.float32) / 255 - mean) / std
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2), np.float32)


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
