"""Pixels at another size, as TensorFlow resizes them: between its neighbours, none averaged.

The checkpoints of detectors and segmenters were trained on images resized so. Pillow's bilinear
filter averages over more pixels when it shrinks, and has other centres.
"""

import numpy as np

from mobilebench.bench.models.outputs import Floats


def bilinear(pixels: np.ndarray, height: int, width: int, align_corners: bool = False) -> Floats:
    """Return (height, width, channels) of pixels (H, W, channels), with four neighbours each.

    Row y of the result lies at y * H / height of the source; with `align_corners`, as DeepLab
    has it, at y * (H - 1) / (height - 1). TensorFlow's `resize_bilinear`, before half-pixel
    centres.
    """
    for axis, size in enumerate((height, width)):
        at = _positions(pixels.shape[axis], size, align_corners)
        low = at.astype(np.int64)
        high = np.minimum(low + 1, pixels.shape[axis] - 1)
        share = np.expand_dims((at - low).astype(np.float32), (1, 2) if axis == 0 else (0, 2))
        first, second = (pixels.take(index, axis).astype(np.float32) for index in (low, high))
        pixels = first + (second - first) * share
    return pixels


def nearest(labels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return (height, width) of labels (H, W), the nearest each, with corners aligned."""
    rows, columns = (
        np.floor(_positions(source, size, align_corners=True) + 0.5).astype(np.int64)
        for source, size in zip(labels.shape, (height, width), strict=True)
    )
    return labels[np.ix_(rows, columns)]


def _positions(source: int, size: int, align_corners: bool) -> np.ndarray:
    """Return where each of `size` pixels lies among `source`, of which the first is at 0."""
    if align_corners and size > 1:
        return np.arange(size) * (source - 1) / (size - 1)
    return np.arange(size) * source / size
