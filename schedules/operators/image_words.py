"""The image as bytes, one word a pixel for up to four planes."""

from typing import Any

from tvm import te, tirx

from mobilebench.schedules.operators.dot_product import BYTES, word_of
from mobilebench.schedules.operators.requantize import multiply_add, saturated

CORE = "image_words"


def compute(image: te.Tensor, numbers: te.Tensor, padding: tuple[int, int, int, int]) -> te.Tensor:
    """Return words (1, ceil(C / 4), H', W') of floating-point planes (1, C, H, W).

    `numbers` are the factor of a pixel and the byte of zero, (2,); `padding` is top, left, bottom,
    right, and is filled with that byte.
    """
    _, planes, height, width = (int(extent) for extent in image.shape)
    top, left, bottom, right = padding

    def byte(y: Any, x: Any, plane: Any) -> Any:
        inside = tirx.all(y >= top, y < height + top, x >= left, x < width + left)
        pixel = image[0, plane, y - top, x - left]
        here = tirx.if_then_else(inside, pixel, tirx.const(0, image.dtype))
        return saturated(multiply_add(here, numbers[0], numbers[1]))

    def word(_n: Any, group: Any, y: Any, x: Any) -> Any:
        return word_of([byte(y, x, group * BYTES + plane) for plane in range(min(planes, BYTES))])

    shape = (1, -(-planes // BYTES), height + top + bottom, width + left + right)
    return te.compute(shape, word, name=CORE)
