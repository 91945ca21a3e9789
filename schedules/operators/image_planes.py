"""The pixels of an image as the planes of numbers that a network is shown."""

from typing import Any

from tvm import te

from mobilebench.schedules.operators.pixels import channel_of
from mobilebench.schedules.operators.requantize import multiply_add

CORE = "image_planes"


def compute(pixels: te.Tensor, numbers: te.Tensor, *, in_vectors: bool) -> te.Tensor:
    """Return planes (1, C, H, W) of normalised pixels, (1, H, W, C) of uint8.

    `numbers` are the factors of the channels and what is added, (2, C). `in_vectors` is whether a
    processor computes many neighbours at once, and not a work item each.
    """
    _, height, width, channels = (int(extent) for extent in pixels.shape)

    def number(_n: Any, c: Any, y: Any, x: Any) -> Any:
        those = numbers[0, c], numbers[1, c]
        if in_vectors:
            return multiply_add(channel_of(pixels, y, x, c), *those)
        return pixels[0, y, x, c].astype("float32") * those[0] + those[1]

    return te.compute((1, channels, height, width), number, name=CORE)
