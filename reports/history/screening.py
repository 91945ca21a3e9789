"""Screens all cells at once: how far their newest nights are from the history.

The medians of few nights cannot distinguish a change from noise; the screening only chooses which
cells are worth measuring again.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mobilebench.reports.history.change_points import (
    Array,
    level_starts,
    outliers,
    own_variances,
    scatter,
    variances,
)

RECENT = 7
"""How many of the newest nights may be the new level: what is older is history."""
LEVEL_NIGHTS = 20
"""From how many nights before them the old level is taken."""
FEWEST = 5
"""With fewer nights of an old level there is nothing to suspect."""


@dataclass(frozen=True)
class Screening:
    """How far the newest 1, 2, ... RECENT nights are from the level before them.

    Both arrays are RECENT x cells, -inf and 0 where the history is too short.
    """

    scores: Array  # of the difference, in standard errors
    changes: Array  # of the logarithm


def screen(logs: Array, low: Array | None = None, high: Array | None = None) -> Screening:
    """Hold the newest nights of every cell against those before.

    logs: cells x nights, logarithms, each row packed to its end (changes.pack), tonight last; low
    and high, packed alike, are the 95 % interval of each night's own, in the metric's unit.
    """
    spread = scatter(logs)
    odd = outliers(logs, spread)
    odd[:, -1] = False  # tonight may be the first of many
    weights = np.where(
        np.isfinite(logs) & ~odd, 1 / variances(own_variances(logs, low, high), spread), 0
    )
    logs = np.where(weights > 0, logs, 0)
    history = _of_current_level(logs, weights)
    nights = logs.shape[1]
    scores = np.full((RECENT, len(logs)), -np.inf)
    changes = np.zeros((RECENT, len(logs)))
    for newest in range(1, min(RECENT, nights - FEWEST) + 1):
        new = slice(nights - newest, nights)
        old = slice(max(nights - newest - LEVEL_NIGHTS, 0), nights - newest)
        enough = (history[:, old] > 0).sum(axis=1) >= FEWEST
        level, variance = _mean(logs[:, old], history[:, old])
        now, own_variance = _mean(logs[:, new], weights[:, new])
        changes[newest - 1] = np.where(enough, now - level, 0)
        with np.errstate(invalid="ignore"):
            score = (now - level) / np.sqrt(variance + own_variance)
        scores[newest - 1] = np.where(enough, score, -np.inf)
    return Screening(scores, changes)


def _of_current_level(logs: Array, weights: Array) -> Array:
    """Return the weights without the nights before the last step that is older than RECENT."""
    nights = np.arange(logs.shape[1])
    old = nights < len(nights) - RECENT
    starts: npt.NDArray[np.intp] = np.where(level_starts(logs, weights) & old, nights, 0)
    return np.where(nights >= starts.max(axis=1, initial=0, keepdims=True), weights, 0)


def _mean(logs: Array, weights: Array) -> tuple[Array, Array]:
    """Return weighted means and their variances; infinite of nothing."""
    total = weights.sum(axis=1)
    with np.errstate(divide="ignore"):
        return (weights * logs).sum(axis=1) / np.where(total > 0, total, 1), 1 / total
