"""How far a figure would move with other images."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 200  # what B. Efron and R. J. Tibshirani advise for a standard error (1993, chapter 6)
_SEED = 0

Draws = NDArray[np.int64]
Interval = tuple[float, float] | tuple[None, None]


def bootstrap_interval(images: int, percent: Callable[[Draws], float]) -> Interval:
    """Return a 95 % interval of a percentage of so many images; Nones of one, which has none.

    1.96 standard errors to both sides, of images drawn with replacement. `percent` is given how
    often each image was drawn (images,), and returns NaN where that leaves nothing to measure.

    Percentiles of the draws would not do: a mean over classes grows with images drawn twice, and
    most of the draws lie above the figure itself. For the same reason a few images with many
    classes give higher figures than many images have, which no interval of theirs can show.
    """
    if images < 2:
        return None, None
    generator = np.random.default_rng(_SEED)
    draws = generator.multinomial(images, np.full(images, 1 / images), RESAMPLES)
    half = 1.959964 * float(np.nanstd([percent(draw) for draw in draws], ddof=1))
    middle = percent(np.ones(images, np.int64))
    return max(0.0, middle - half), min(100.0, middle + half)
