"""Image files: whether they are whole, and from their pixels to a network's input."""

import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from mobilebench.bench.accuracy.data_error import DataError
from mobilebench.bench.accuracy.pictures import (
    BITS_16,
    UnknownRangeError,
    as_rgb,
    extremes,
    has_alpha,
    is_deep,
    upright,
)
from mobilebench.bench.models.outputs import Floats
from mobilebench.bench.models.preprocessing import Preprocessing
from mobilebench.bench.wrong_file import what_is_said
from mobilebench.targets.errors import BenchError

_DAMAGE = (OSError, EOFError, SyntaxError, ValueError, IndexError, struct.error)
"""What Pillow raises for files that are cut off or wrong inside."""


Resize = Callable[[tuple[int, int]], tuple[int, int]]
READABLE: dict[int, Callable[[Image.Image], Image.Image]] = {
    1: lambda image: as_rgb(image).convert("L"),
    3: as_rgb,
    4: lambda image: image.convert("RGBA"),
}
"""By the number of channels, what a network is shown of an image."""


def normalised(pixels: np.ndarray, preprocessing: Preprocessing) -> Floats:
    """Return (N, C, H, W) of pixels (N, H, W, C) in 0..255, as the checkpoint wants them."""
    mean = np.array(preprocessing.mean, np.float32)
    std = np.array(preprocessing.std, np.float32)
    scaled = (pixels.astype(np.float32) / 255 - mean) / std
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2), np.float32)


def upright_size(file: Path, size: tuple[int, int] | None = None) -> tuple[int, int]:
    """Return the width and height of what `rgb` returns."""
    with Image.open(file) as opened:
        return upright(opened, size).size


def rgb(file: Path, size: tuple[int, int] | None = None) -> Image.Image:
    """Return an image that was found whole, upright and with three channels.

    `size` is that of its boxes or its mask (width, height), as `upright` has it.
    """
    with Image.open(file) as opened:
        return as_rgb(upright(opened, size))


def seen(
    file: Path, channels: int, size: tuple[int, int] | None = None, *, to: Resize | None = None
) -> np.ndarray:
    """Return the pixels (H, W, channels) of an image that was found whole, as `rgb` has them.

    One channel is grey, a fourth one transparency, which the image must have. `to` gives a width
    and a height for those of the image, to which it is resized. Raises BenchError for other
    numbers of channels.
    """
    return to_pixels(decoded(file, channels, size), to)


def decoded(file: Path, channels: int, size: tuple[int, int] | None = None) -> Image.Image:
    """Return what `seen` returns, as an image of its own size; raises the same."""
    with Image.open(file) as opened:
        image = upright(opened, size)
        if channels == len("RGBA") and not has_alpha(image):
            raise BenchError(
                f"image {file}: has no fourth channel, and the network takes red, green, blue and "
                "transparency; give images that have all four"
            )
        if channels not in READABLE:
            raise BenchError(
                f"image {file}: the network takes {channels} channels, and images of 1, 3 or 4 can "
                "be read; leave out the data"
            )
        return READABLE[channels](image)


def to_pixels(image: Image.Image, to: Resize | None = None) -> np.ndarray:
    """Return the pixels (H, W, channels) of an image; `to` is as `seen` has it."""
    bands = image.split()
    if to is not None:
        # One by one: Pillow would weigh colours with the transparency.
        bands = tuple(one.resize(to(image.size), Image.Resampling.BILINEAR) for one in bands)
    return np.stack([np.asarray(one) for one in bands], axis=2)


class ImageCheck:
    """Reads the image files of some data, and keeps what was noticed in them."""

    def __init__(self, path: Path) -> None:
        """Name the data's `path` in errors."""
        self._path = path
        self._transparent = 0
        self._deep: list[float] = []  # the largest value of each image of 16 bits

    def read(self, file: Path, what: str = "image") -> bytes:
        """Return a file's bytes; raises BenchError if it is not an image that can be shown.

        A mask need not be one that can be shown.
        """
        content = b""
        try:
            content = file.read_bytes()
            with Image.open(BytesIO(content)) as image:
                image.load()
                if what == "image":
                    as_rgb(image)
                    self._notice(image)
        except FileNotFoundError:
            raise DataError(f"{self._path}: {what} {file} is missing") from None
        except UnidentifiedImageError:
            raise DataError(f"{self._path}: {what} {file} {_what_else(content, file)}") from None
        except Image.DecompressionBombError:
            most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
            raise DataError(
                f"{self._path}: {what} {file} has more than {most} pixels; make it smaller"
            ) from None
        except UnknownRangeError as error:
            raise DataError(f"{self._path}: {what} {file}: {error}") from None
        except _DAMAGE as error:
            raise DataError(f"{self._path}: {what} {file} is damaged: {error}") from None
        return content

    @property
    def notes(self) -> tuple[str, ...]:
        """What is unlikely in the images that were read."""
        said = []
        if self._transparent:
            said.append(f"{self._transparent} images have transparent parts, which are white here")
        if self._deep and max(self._deep) < BITS_16 / 8:
            said.append(
                f"the values of all 16-bit images end at {max(self._deep):.0f} of {BITS_16}, so "
                "that they are nearly black: scale them to the whole range"
            )
        return tuple(said)

    def _notice(self, image: Image.Image) -> None:
        if has_alpha(image) and extremes(image.convert("RGBA").getchannel("A"))[0] < 255:
            self._transparent += 1
        if is_deep(image):
            self._deep.append(extremes(image.convert("I"))[1])


def _what_else(content: bytes, file: Path) -> str:
    """Return what a file is that Pillow does not read."""
    if not content:
        return "is damaged: it is empty"
    if said := what_is_said(content):
        return f"is {said}; that is no image"
    return (
        f"is damaged, or of a kind that Pillow does not read ({file.suffix or 'no suffix'}); "
        "convert it to JPEG or PNG"
    )
