"""Finds changes in a series of nightly runs: steps, a slow drift, single outliers.

A series is one positive metric of one cell, a value a night. Everything is computed on its natural
logarithm, so that a step is a ratio and a scatter of 0.03 is 3 %.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

PENALTY = 16.0
"""How much better, in units of chi squared, a step must make the fit; found by simulation."""
DRIFT_PENALTY = 6.0
"""The same for a slope, which has no night that could be chosen: what may be one is no step."""
DRIFT_ERRORS = 3.0
"""How many standard errors a slope must be from none to be reported as a drift."""
OUTLIER = 3.0
"""How many scatters a night must lie off its neighbours' median to be an outlier."""
USUAL_SCATTER = 0.02
"""The scatter that is assumed at first; it weighs as much as USUAL_NIGHTS nights."""
USUAL_NIGHTS = 4
LEAST_SCATTER = 0.002
"""The least scatter that is assumed: clocks and samples are never better."""
Z95 = 1.959964
_SHORTEST = 2  # nights of a level: one night alone is no step
_TURNS = 3  # of slope and steps


@dataclass(frozen=True)
class Step:
    """A lasting change: from `night` on the metric is `ratio` times what it was."""

    night: int  # index into the series
    ratio: float
    low: float  # 95 % interval of the ratio, at that night
    high: float


@dataclass(frozen=True)
class Drift:
    """A slow change that has no night: so many times more from each night to the next."""

    ratio_a_night: float
    low: float
    high: float


@dataclass(frozen=True)
class Changes:
    """What was found in a series of nights."""

    steps: tuple[Step, ...]
    drift: Drift | None
    outliers: tuple[int, ...]  # nights
    scatter: float  # from night to night, of the logarithm


def find_changes(
    values: Array,
    low: Array | None = None,
    high: Array | None = None,
    penalty: float = PENALTY,
) -> list[Changes]:
    """Find the steps, the drift and the outliers of each series.

    values, low, high: series x nights, the oldest night first, in the metric's unit; `low` and
    `high` are the 95 % interval of a night's own measurement. NaN and what is not above zero is a
    night without a value.

    The fit is the one with the least sum of squared residuals, each weighted by its night's
    variance, and penalties: of levels, or of levels on a slope.
    """
    logs = logarithms(values)
    own = own_variances(logs, low, high)
    spread = scatter(logs)
    odd = outliers(logs, spread)
    weights = np.where(np.isfinite(logs) & ~odd, 1 / variances(own, spread), 0)
    logs = np.where(weights > 0, logs, 0)
    plain = _fit_all(logs, weights, level_starts(logs, weights, penalty), penalty)
    sloped = _fit_levels_on_slopes(logs, weights, penalty)
    return [
        _changes(one, other, np.flatnonzero(night), float(scattered))
        for one, other, night, scattered in zip(plain, sloped, odd, spread, strict=True)
    ]


def level_starts(logs: Array, weights: Array, penalty: float = PENALTY) -> npt.NDArray[np.bool_]:
    """Return on which nights of each series a new level starts, except the first level.

    logs, weights: series x nights; a weight of zero leaves a night out. Optimal partitioning
    (Jackson et al., IEEE Signal Processing Letters 12 (2005) 105-108) of all series at once: the
    same as PELT finds, which is for thousands of nights.
    """
    count = logs.shape[1]
    terms = (weights, weights * logs, weights * logs**2, weights > 0)
    sums = [np.pad(np.cumsum(term, axis=1, dtype=float), ((0, 0), (1, 0))) for term in terms]
    best = np.full((len(logs), count + 1), np.inf)
    best[:, 0] = -penalty
    origin = np.zeros((len(logs), count + 1), dtype=np.intp)
    for end in range(1, count + 1):
        weight, linear, square, nights = (one[:, end, None] - one[:, :end] for one in sums)
        cost = square - linear**2 / np.where(weight > 0, weight, 1)
        later = np.arange(end) > 0
        # What has too few nights yet is one level with what comes; none starts where no night is.
        barred = later & ((nights < _SHORTEST) | (weights[:, :end] == 0))
        total = np.where(barred, np.inf, best[:, :end] + cost + penalty)
        origin[:, end] = total.argmin(axis=1)
        best[:, end] = total.min(axis=1)
    found = np.zeros(logs.shape, dtype=bool)
    rows, ends = np.arange(len(logs)), np.full(len(logs), count)
    while len(rows):
        ends = origin[rows, ends]
        rows, ends = rows[ends > 0], ends[ends > 0]
        found[rows, ends] = True
    return found


def logarithms(values: Array) -> Array:
    """Return the logarithms of values; NaN of what is missing or not above zero."""
    return np.log(np.where(values > 0, values, np.nan))


def own_variances(logs: Array, low: Array | None, high: Array | None) -> Array:
    """Return the variance of each night's own measurement, from its 95 % interval; 0 if unknown.

    NaN where there is no measurement.
    """
    nothing = np.where(np.isfinite(logs), 0.0, np.nan)
    if low is None or high is None:
        return nothing
    width = logarithms(high) - logarithms(low)
    return nothing + np.nan_to_num(width / (2 * Z95)) ** 2


def scatter(logs: Array) -> Array:
    """Return the standard deviation from night to night of each row of logarithms.

    Of its differences between neighbours, in which a step or an outlier is one or two among many,
    68.3 % are within one standard deviation, which is sqrt(2) times the nights'. Few nights tell
    little: USUAL_NIGHTS more are added that scatter as is usual.
    """
    packed = pack(logs)
    differences = np.abs(np.diff(packed, axis=1))
    counts = np.isfinite(differences).sum(axis=1)
    found = np.zeros(len(logs))
    some = counts > 0
    if some.any():
        found[some] = np.nanquantile(differences[some], 0.6827, axis=1) / np.sqrt(2)
    pooled = (USUAL_NIGHTS * USUAL_SCATTER**2 + counts * found**2) / (USUAL_NIGHTS + counts)
    return np.asarray(np.maximum(np.sqrt(pooled), LEAST_SCATTER))


def variances(own: Array, spread: Array) -> Array:
    """Return the variance of each night: between nights, and its own.

    own: cells x nights, from `own_variances`; spread: cells, from `scatter`, which has the usual
    night's own variance in it already.
    """
    if not own.shape[1]:
        return own
    empty = np.isnan(own).all(axis=1, keepdims=True)
    usual = np.nanmedian(np.where(empty, 0, own), axis=1, keepdims=True)
    between = np.maximum(spread[:, None] ** 2 - usual, LEAST_SCATTER**2)
    return np.asarray(between + own)


def outliers(logs: Array, spread: Array) -> npt.NDArray[np.bool_]:
    """Return which nights lie off the median of the five around them, or of the newest three.

    A step's first two nights are no outliers: two of the newest three are on the new level.
    """
    order, packed = order_of(logs), pack(logs)
    middle = np.full_like(packed, np.nan)
    count = packed.shape[1]
    for night in range(count):
        first, last = max(night - 2, 0), min(night + 3, count)
        if night >= count - 2:
            first, last = max(count - 3, 0), count
        window = packed[:, first:last]
        known = np.isfinite(window).sum(axis=1) >= 3
        if known.any():
            middle[known, night] = np.nanmedian(window[known], axis=1)
    off = np.abs(packed - middle) > OUTLIER * spread[:, None]
    found = np.zeros(logs.shape, dtype=bool)
    np.put_along_axis(found, order, off, axis=1)
    return found


def pack(logs: Array) -> Array:
    """Move the nights that a row has to its end, in order; NaN is at its beginning."""
    return np.take_along_axis(logs, order_of(logs), axis=1)


def order_of(logs: Array) -> npt.NDArray[np.intp]:
    """Return which night comes where in `pack`, rows x nights."""
    return np.argsort(np.isfinite(logs), axis=1, kind="stable")


@dataclass(frozen=True)
class _Fit:
    """Levels, each but the first with where it starts and how far it is from the one before."""

    cost: float  # chi squared and the penalties of the steps
    starts: tuple[int, ...]
    changes: tuple[float, ...]
    errors: tuple[float, ...]  # standard errors of the changes
    slope: float = 0.0
    slope_error: float = 0.0


def _changes(plain: _Fit, sloped: _Fit, odd: npt.NDArray[np.intp], spread: float) -> Changes:
    fit = sloped if sloped.cost + DRIFT_PENALTY < plain.cost else plain
    steps = (
        Step(start, *_ratio(change, error))
        for start, change, error in zip(fit.starts, fit.changes, fit.errors, strict=True)
    )
    drifts = abs(fit.slope) > DRIFT_ERRORS * fit.slope_error
    drift = Drift(*_ratio(fit.slope, fit.slope_error)) if drifts else None
    return Changes(tuple(steps), drift, tuple(map(int, odd)), spread)


def _fit_levels_on_slopes(logs: Array, weights: Array, penalty: float) -> list[_Fit]:
    """Fit slope and steps in turn, from a slope without steps on."""
    nights = np.arange(logs.shape[1])
    fits = _fit_all(logs, weights, np.zeros(logs.shape, dtype=bool), penalty, sloped=True)
    best = fits
    for _ in range(_TURNS):
        slopes = np.array([fit.slope for fit in fits])
        starts = level_starts(logs - slopes[:, None] * nights, weights, penalty)
        fits = _fit_all(logs, weights, starts, penalty, sloped=True)
        best = [min(pair, key=lambda one: one.cost) for pair in zip(best, fits, strict=True)]
    return best


def _fit_all(
    logs: Array,
    weights: Array,
    starts: npt.NDArray[np.bool_],
    penalty: float,
    *,
    sloped: bool = False,
) -> list[_Fit]:
    return [
        _least_squares(*one, penalty, sloped=sloped)
        for one in zip(logs, weights, map(np.flatnonzero, starts), strict=True)
    ]


def _least_squares(
    logs: Array, weights: Array, starts: npt.NDArray[np.intp], penalty: float, *, sloped: bool
) -> _Fit:
    """Fit the first level, what each start adds to it, and a slope."""
    nights = np.arange(len(logs))
    columns = [np.ones(len(logs)), *(np.asarray(nights >= start, float) for start in starts)]
    if sloped:
        columns.append(nights.astype(float))
    roots = np.sqrt(weights)
    design = np.column_stack(columns) * roots[:, None]
    inverse = np.linalg.pinv(design)
    found = inverse @ (logs * roots)
    errors = np.sqrt((inverse**2).sum(axis=1))
    residuals = logs * roots - design @ found
    cost = float(residuals @ residuals) + penalty * len(starts)
    steps = slice(1, 1 + len(starts))
    at, changes, of_changes = (tuple(one.tolist()) for one in (starts, found[steps], errors[steps]))
    if not sloped:
        return _Fit(cost, at, changes, of_changes)
    return _Fit(cost, at, changes, of_changes, float(found[-1]), float(errors[-1]))


def _ratio(change: float, error: float) -> tuple[float, float, float]:
    ends = (change, change - Z95 * error, change + Z95 * error)
    ratio, low, high = (float(np.exp(end)) for end in ends)
    return ratio, low, high
