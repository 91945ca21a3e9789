"""What the pixels of a mask mean: class indices, other values, or colours."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

IGNORED = 255  # a pixel of no class: VOC's outlines, and what an image is padded with

Labels = NDArray[np.uint8]
Colour = tuple[int, int, int]
Pixel = int | Colour


def voc_colour(number: int) -> Colour:
    """Return the colour of a class in PASCAL VOC's masks: three bits of its number to a channel."""
    channels = [0, 0, 0]
    for place in range(8):
        for channel in range(3):
            channels[channel] |= ((number >> (3 * place + channel)) & 1) << (7 - place)
    return channels[0], channels[1], channels[2]


VOC_COLOURS: Mapping[Pixel, int] = {voc_colour(number): number for number in (*range(21), IGNORED)}


@dataclass(frozen=True)
class Meaning:
    """Which class each pixel of masks stands for; an empty one: the class is the value itself."""

    classes: tuple[tuple[Pixel, int], ...] = ()

    def labels(self, mask: Path) -> Labels:
        """Return the class of each pixel (height, width), `IGNORED` where none counts.

        Raises ValueError naming a pixel without a class.
        """
        pixels = read_pixels(mask)
        codes = _codes(pixels)
        if not self.classes:
            if pixels.ndim == 3:
                raise ValueError("it has colours, and a class is a value")
            if codes.max() > IGNORED:
                raise ValueError(f"it has class {int(codes.max())}")
            return codes.astype(np.uint8)
        known = dict(self.classes)
        labels = np.full(codes.shape, IGNORED, np.uint8)
        for pixel in distinct(pixels):
            if pixel not in known:
                raise ValueError(f"it has the {_said(pixel)}, which is none of the classes'")
            labels[codes == _code(pixel)] = known[pixel]
        return labels


PLAIN = Meaning()


def read_pixels(mask: Path) -> NDArray[np.int64]:
    """Return a mask's values (height, width), or colours (height, width, 3).

    A palette's entries are values, unless its colours are VOC's and the entries were renumbered.
    Transparent pixels are of no class. Raises ValueError for a kind of image that is no mask.
    """
    with Image.open(mask) as opened:
        opened.load()
        if opened.mode == "P":
            values = np.asarray(opened).astype(np.int64)
            palette = np.array(opened.getpalette("RGB"), np.int64).reshape(-1, 3)
            return palette[values] if _is_renumbered(values, palette) else values
        if opened.mode == "1":  # black and white, as 0 and 255 are
            return np.asarray(opened.convert("L")).astype(np.int64)
        if opened.mode in ("L", "I") or opened.mode.startswith("I;16"):
            return np.asarray(opened).astype(np.int64)
        if opened.mode == "LA":
            value, alpha = (np.asarray(one).astype(np.int64) for one in opened.split())
            return np.where(alpha > 0, value, IGNORED)
        if opened.mode in ("RGB", "RGBA"):
            colours = np.asarray(opened).astype(np.int64)
            if opened.mode == "RGBA":
                void = np.array(voc_colour(IGNORED))
                colours = np.where(colours[:, :, 3:] > 0, colours[:, :, :3], void)
            same = (colours == colours[:, :, :1]).all()
            return colours[:, :, 0] if same else colours
        raise ValueError(f"it is an image of mode {opened.mode}, which is no mask")


def distinct(pixels: NDArray[np.int64]) -> list[Pixel]:
    """Return the values or colours of a mask, each once."""
    codes = np.unique(_codes(pixels))
    if pixels.ndim == 2:
        return [int(code) for code in codes]
    return [(int(code) >> 16, int(code) >> 8 & 255, int(code) & 255) for code in codes]


def _codes(pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return one number for each pixel."""
    if pixels.ndim == 2:
        return pixels
    return pixels[:, :, 0] << 16 | pixels[:, :, 1] << 8 | pixels[:, :, 2]


def _code(pixel: Pixel) -> int:
    return pixel if isinstance(pixel, int) else pixel[0] << 16 | pixel[1] << 8 | pixel[2]


def _said(pixel: Pixel) -> str:
    return f"value {pixel}" if isinstance(pixel, int) else f"colour {pixel}"


def _is_renumbered(values: NDArray[np.int64], palette: NDArray[np.int64]) -> bool:
    """Whether the entries that a mask uses have VOC's colours, but not of the classes they are."""
    used = [int(one) for one in np.unique(values) if one < len(palette)]
    colours = [(int(r), int(g), int(b)) for r, g, b in palette[used]]
    if all(colour[0] == colour[1] == colour[2] for colour in colours):
        return False
    meant = [VOC_COLOURS.get(colour) for colour in colours]
    return None not in meant and meant != used
