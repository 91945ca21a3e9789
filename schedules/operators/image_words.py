"""The image as bytes, one word a pixel for two or four planes."""

from collections.abc import Callable
from typing import Any

from tvm import te, tirx

from mobilebench.schedules.operators.dot_product import word_of
from mobilebench.schedules.operators.pixels import channel_of
from mobilebench.schedules.operators.requantize import ENDS, multiply_add, saturated
from mobilebench.schedules.operators.stored_bytes import UNSIGNED, stored_word

CORE = "image_words"


def compute(
    image: te.Tensor,
    numbers: te.Tensor,
    padding: tuple[int, int, int, int],
    word: int,
    kind: str = UNSIGNED,
) -> te.Tensor:
    """Return words (1, ceil(C / word), H', W') of bytes of a kind, of planes (1, C, H, W).

    `numbers` are the factor of a pixel and the byte of zero, (2,); `padding` is top, left, bottom,
    right, and is filled with that byte.
    """
    size = tuple(int(extent) for extent in image.shape[1:])

    def byte(inside: Any, y: Any, x: Any, plane: Any) -> Any:
        here = tirx.if_then_else(inside, image[0, plane, y, x], tirx.const(0, image.dtype))
        return saturated(multiply_add(here, numbers[0], numbers[1]), ENDS)

    return _words(size, padding, word, kind, byte)


def compute_from_pixels(
    pixels: te.Tensor,
    numbers: te.Tensor,
    zero: int,
    padding: tuple[int, int, int, int],
    word: int,
    kind: str = UNSIGNED,
) -> te.Tensor:
    """Return the words of pixels (1, H, W, C) of uint8, which are normalised.

    `numbers` are the factors of the channels and what is added, (2, C); `zero` is the byte of zero.
    """
    _, height, width, planes = (int(extent) for extent in pixels.shape)

    def byte(inside: Any, y: Any, x: Any, plane: Any) -> Any:
        pixel = channel_of(pixels, y, x, plane)
        here = saturated(multiply_add(pixel, numbers[0, plane], numbers[1, plane]), ENDS)
        return tirx.if_then_else(inside, here, tirx.const(zero, "int32"))

    return _words((planes, height, width), padding, word, kind, byte)


def _words(
    size: tuple[int, ...],
    padding: tuple[int, int, int, int],
    word: int,
    kind: str,
    byte: Callable[[Any, Any, Any, Any], Any],
) -> te.Tensor:
    """Return words of `byte`: of whether a pixel is inside, its row, column and plane."""
    planes, height, width = size
    top, left, bottom, right = padding

    def value(y: Any, x: Any, plane: Any) -> Any:
        inside = tirx.all(y >= top, y < height + top, x >= left, x < width + left)
        here = byte(inside, y - top, x - left, plane)
        if planes <= word or planes % word == 0:
            return here
        return tirx.if_then_else(plane < planes, here, tirx.const(0, "int32"))

    def joined(_n: Any, group: Any, y: Any, x: Any) -> Any:
        values = [value(y, x, group * word + one) for one in range(min(planes, word))]
        return stored_word(word_of(values, word), kind)

    shape = (1, -(-planes // word), height + top + bottom, width + left + right)
    return te.compute(shape, joined, name=CORE)
