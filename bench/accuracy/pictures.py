"""The pixels of an image file as they are meant to be seen, whatever form they are stored in."""

import numpy as np
from PIL import Image, ImageOps

WHITE = (255, 255, 255)
BITS_16 = 65535


class UnknownRangeError(ValueError):
    """The values of an image are in no usual range, so that black and white are unknown."""


def upright(image: Image.Image, size: tuple[int, int] | None = None) -> Image.Image:
    """Return an image turned as its EXIF data says.

    If boxes or a mask are of a `size` (width, height) that only the pixels as they are stored
    have, these are meant, and nothing is turned.
    """
    turned: Image.Image = ImageOps.exif_transpose(image)
    return image if size == image.size != turned.size else turned


def as_rgb(image: Image.Image) -> Image.Image:
    """Return three channels of 8 bits.

    More than 8 bits, whole numbers and floating-point ones are scaled by the range they are in
    (16 bits; 0 to 1 or 0 to 255); transparent parts are white, as a browser has them. Raises
    UnknownRangeError for other ranges.
    """
    if image.mode.startswith(("I", "F")):
        return _scaled(image).convert("RGB")
    if has_alpha(image):
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image).convert("RGB")
    return image.convert("RGB")


def has_alpha(image: Image.Image) -> bool:
    """Whether an image has a channel, or a colour, that is transparent."""
    return "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa", "La")


def is_deep(image: Image.Image) -> bool:
    """Whether an image has one channel of 16 bits."""
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM"))


def extremes(channel: Image.Image) -> tuple[float, float]:
    """Return the least and the largest value of an image with one channel."""
    values = np.asarray(channel)
    return float(values.min()), float(values.max())


def _scaled(image: Image.Image) -> Image.Image:
    """Return one channel of 8 bits."""
    values = (image.convert("I") if image.mode.startswith("I;") else image).convert("F")
    least, most = extremes(values)
    if not np.isfinite([least, most]).all():  # NaN is the least and the largest
        raise UnknownRangeError("it has values that are not finite")
    ends = (1, 255, BITS_16) if image.mode == "F" else (255, BITS_16)
    end = BITS_16 if is_deep(image) else next((end for end in ends if most <= end), 0)
    if least < 0 or not end:
        raise UnknownRangeError(
            f"its values are {least:g} to {most:g}; scale them to 0..1 or 0..255, or store 8 or 16 "
            "bits"
        )
    return values.point(lambda value: value * (255 / end) + 0.5).convert("L")
