"""Bilinear enlarging of features (NHWC) to planes (NCHW)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tvm import te, tirx

CORE = "resize_planes"
ROWS = "resize_rows"  # the block of rows that are interpolated between two rows of the input

Table = NDArray[np.int32]
Shares = NDArray[np.float32]


@dataclass(frozen=True)
class Enlarging:
    """From so many pixels to so many others, along one axis.

    Source: ONNX's operator Resize, `align_corners` and `half_pixel`, which are PyTorch's
    interpolate with and without align_corners. Positions beside the input are on its edge.
    """

    size: int
    out_size: int
    align_corners: bool

    def neighbours(self) -> tuple[Table, Shares]:
        """Return the first of two neighbours of each pixel, and the share of the second."""
        at = np.arange(self.out_size, dtype=np.float32)
        if self.align_corners:
            positions = at * np.float32((self.size - 1) / max(self.out_size - 1, 1))
        else:
            scale = np.float32(self.size / self.out_size)
            positions = (at + np.float32(0.5)) * scale - np.float32(0.5)
        positions = np.clip(positions, 0, self.size - 1)
        first = np.minimum(positions.astype(np.int32), self.size - 2)
        return first, (positions - first).astype(np.float32)

    def begin(self, pixel: Any) -> Any:
        """Return the first neighbour of a pixel, by whole numbers; of an expression, as one."""
        if self.align_corners:
            return pixel * (self.size - 1) // max(self.out_size - 1, 1)
        return ((2 * pixel + 1) * self.size - self.out_size) // (2 * self.out_size)

    def bands(self, lanes: int) -> Shares:
        """Return weights (groups, pixels, lanes) of what neighbouring pixels are made of.

        A group reads pixels of the input from the first neighbour of its first lane on: enlarging
        by as much as it has lanes, or more, two or three.
        """
        first, share = self.neighbours()
        groups = -(-self.out_size // lanes)
        begins = [max(0, self.begin(group * lanes)) for group in range(groups)]
        wide = max(
            int(first[min((group + 1) * lanes, self.out_size) - 1]) + 2 - begin
            for group, begin in enumerate(begins)
        )
        weights = np.zeros((groups, wide, lanes), np.float32)
        for pixel, (at, second) in enumerate(zip(first, share, strict=True)):
            group, lane = divmod(pixel, lanes)
            from_begin = at - min(begins[group], self.size - wide)
            # A position just below a whole number may have been rounded to it, or not.
            weights[group, max(from_begin, 0), lane] += 1 - second
            weights[group, from_begin + 1, lane] += second
        return weights


def compute(
    data: te.Tensor,
    first: te.Tensor,
    share: te.Tensor,
    weights: te.Tensor,
    out_width: int,
    align_corners: bool,
) -> te.Tensor:
    """Return planes (1, C, H', W') of data (1, H, W, C).

    `first` and `share`, (H',), are the neighbours of rows, `weights` the bands of columns.
    """
    _, _, width, channels = (int(extent) for extent in data.shape)
    out_height = int(first.shape[0])
    columns = Enlarging(width, out_width, align_corners)
    _, wide, lanes = (int(extent) for extent in weights.shape)
    rows = te.compute(
        (1, out_height, width, channels),
        lambda n, y, x, c: (
            data[n, first[y], x, c]
            + share[y] * (data[n, first[y] + 1, x, c] - data[n, first[y], x, c])
        ),
        name=ROWS,
    )

    def plane(n: Any, c: Any, y: Any, x: Any) -> Any:
        group, lane = x // lanes, x % lanes
        begin = tirx.max(tirx.min(columns.begin(group * lanes), width - wide), 0)
        terms = [rows[n, y, begin + near, c] * weights[group, near, lane] for near in range(wide)]
        return sum(terms[1:], terms[0])

    return te.compute((1, channels, out_height, out_width), plane, name=CORE)
