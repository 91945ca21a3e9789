"""The image as bytes, one word a pixel for two or four planes."""

from typing import Any

from tvm import te, tirx

from mobilebench.schedules.operators.dot_product import word_of
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
    _, planes, height, width = (int(extent) for extent in image.shape)
    top, left, bottom, right = padding

    def byte(y: Any, x: Any, plane: Any) -> Any:
        inside = tirx.all(y >= top, y < height + top, x >= left, x < width + left)
        pixel = image[0, plane, y - top, x - left]
        here = tirx.if_then_else(inside, pixel, tirx.const(0, image.dtype))
        return saturated(multiply_add(here, numbers[0], numbers[1]), ENDS)

    def value(y: Any, x: Any, plane: Any) -> Any:
        if planes <= word or planes % word == 0:
            return byte(y, x, plane)
        return tirx.if_then_else(plane < planes, byte(y, x, plane), tirx.const(0, "int32"))

    def joined(_n: Any, group: Any, y: Any, x: Any) -> Any:
        values = [value(y, x, group * word + one) for one in range(min(planes, word))]
        return stored_word(word_of(values, word), kind)

    shape = (1, -(-planes // word), height + top + bottom, width + left + right)
    return te.compute(shape, joined, name=CORE)
