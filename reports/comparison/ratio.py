"""The ratio of two latencies, with its interval and its significance."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtr, stdtrit

Floats = NDArray[np.float64]
Rounds = Sequence[Sequence[float]]  # milliseconds, a list per round

_RESAMPLES = 500  # even
_STEPS = 127  # of the quantile function that medians of a resample are looked up in
_AT_ONCE = 16  # measurements; what they take fits a core's cache


@dataclass(frozen=True)
class Pair:
    """Two measurements of the same thing, neither without a sample."""

    base: Rounds
    head: Rounds
    beside: bool = False  # round n of the one was measured beside round n of the other


@dataclass(frozen=True)
class Ratio:
    """The median of head's samples over the median of base's, or that of their rounds, if they
    were measured beside each other (`_beside`).

    Where one of the two has but one round, nothing tells how rounds differ: the interval is then
    0 to infinity, and p is 1.
    """

    base_ms: float  # medians
    head_ms: float
    ratio: float
    low: float  # 95 % interval
    high: float
    mann_whitney_p: float  # that both sets of samples are alike, samples taken as independent
    p: float  # that both measurements are alike; samples of one round taken as alike


def ratios_of(pairs: Sequence[Pair]) -> list[Ratio]:
    """Return the ratio of each pair.

    The interval is the record's own idea (bench/latency.py) on two measurements: rounds are drawn,
    then samples within them, of base and head independently. Of few rounds such draws are too much
    alike, so deviations grow by sqrt(n / (n - 1)), and the interval by Student's over the normal
    quantile (the expanded percentile interval of T. Hesterberg, What Teachers Should Know About the
    Bootstrap, 2015). Of two that were measured beside each other, rounds are compared one by one:
    see `_beside`.

    `p` is the larger of two. Mann-Whitney's (two-sided, asymptotic) supposes nothing of how samples
    are spread, but takes those of one round for independent, which they are not. The other is of
    the level at which the interval would just touch 1, by Student's t. Both must be small: the
    larger of two is a valid p if one of them is (R. L. Berger, Technometrics 24, 1982).

    Swapping base and head inverts ratio and interval, and keeps p.
    """
    if not pairs:
        return []
    sides = [(_sorted(pair.base), _sorted(pair.head)) for pair in pairs]
    base_ms, head_ms = np.array([[side.median for side in both] for both in sides]).T
    whitney = np.array([_mann_whitney(base.samples, head.samples) for base, head in sides])
    beside = np.array([pair.beside for pair in pairs])
    middle, below, above, freedom = np.empty((4, len(pairs)))
    for found, take in ((~beside, _apart), (beside, _beside)):
        places = np.flatnonzero(found).tolist()
        if places:
            moved = take([pairs[place] for place in places], [sides[place] for place in places])
            middle[places], below[places], above[places], freedom[places] = moved
    with np.errstate(divide="ignore", invalid="ignore"):  # samples that are all the same
        errors = np.where(middle > 0, below, above) / stdtrit(freedom, 0.975)
        t = np.where(middle == 0, 0, np.abs(middle) / errors)
    p = np.maximum(whitney, 2 * stdtr(freedom, -t))
    ratio, low, high = np.exp(middle), np.exp(middle - below), np.exp(middle + above)
    alone = np.array([min(len(side.sizes) for side in both) < 2 for both in sides])
    low[alone], high[alone], p[alone] = 0, np.inf, 1
    columns = (base_ms, head_ms, ratio, low, high, whitney, p)
    return [Ratio(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def ratio_of(base: Rounds, head: Rounds, beside: bool = False) -> Ratio:
    """Return the ratio of two measurements; see `ratios_of`."""
    return ratios_of([Pair(base, head, beside)])[0]


@dataclass(frozen=True)
class _Sorted:
    samples: Floats
    owners: NDArray[np.int64]  # which round each is of
    sizes: NDArray[np.int64]  # of the rounds

    @property
    def median(self) -> float:
        n = len(self.samples)
        return float(self.samples[(n - 1) // 2] + self.samples[n // 2]) / 2


_Both = tuple[_Sorted, _Sorted]
_Moved = tuple[Floats, Floats, Floats, Floats]
"""Of each pair: how far the log of the ratio is from 0, of its interval's ends, and Student's
degrees of freedom."""


def _sorted(rounds: Rounds) -> _Sorted:
    samples = np.fromiter(chain.from_iterable(rounds), np.float64)
    sizes = np.array([len(one) for one in rounds if one])
    order = samples.argsort(kind="stable")
    return _Sorted(samples[order], np.arange(len(sizes)).repeat(sizes)[order], sizes)


def _apart(_pairs: Sequence[Pair], sides: Sequence[_Both]) -> _Moved:
    """Return what two measurements that know nothing of each other tell: see `ratios_of`."""
    base, head = zip(*sides, strict=True)
    difference = np.log([two.median / one.median for one, two in sides])
    base_log = _deviations(base)[:, ::-1]  # see _draws
    quantiles = np.quantile(_deviations(head) - base_log, [0.025, 0.975], axis=1)
    freedom = np.array([len(one.sizes) + len(two.sizes) - 2 for one, two in sides]).clip(1)
    wider = stdtrit(freedom, 0.975) / 1.959964
    below, above = wider * np.maximum([-quantiles[0], quantiles[1]], 0)
    return difference, below, above, freedom


def _beside(pairs: Sequence[Pair], _sides: Sequence[_Both]) -> _Moved:
    """Return the mean of the middle half of the rounds' ratios, by the medians of their samples.

    What comes and goes within one of the two rounds of a pair, as other programs do, makes that
    ratio too large or too small; a quarter on each side does no harm. The interval is that of a
    trimmed mean, from winsorised deviations (K. K. Yuen, Biometrika 61, 1974).
    """
    found = []
    for pair in pairs:
        logs = np.sort(
            [
                np.log(np.median(head) / np.median(base))
                for base, head in zip(pair.base, pair.head, strict=False)
                if base and head
            ]
        )
        n, cut = len(logs), len(logs) // 4
        kept = logs[cut : n - cut]
        freedom = max(len(kept) - 1, 1)
        winsorised = logs.clip(kept[0], kept[-1])
        spread = ((winsorised - winsorised.mean()) ** 2).sum()
        half = stdtrit(freedom, 0.975) * np.sqrt(spread / (len(kept) * freedom))
        found.append((kept.mean(), half, half, freedom))
    middle, below, above, degrees = np.array(found).T
    return middle, below, above, degrees


def _mann_whitney(base: Floats, head: Floats) -> float:
    """Return the p of sorted samples.

    scipy.stats.mannwhitneyu gives the same; importing it takes longer than all else here.
    """
    n, m = len(base), len(head)
    pooled = np.sort(np.concatenate([base, head]), kind="stable")
    starts = np.flatnonzero(pooled[1:] != pooled[:-1]) + 1
    ties = np.diff(starts, prepend=0, append=n + m).astype(np.float64)
    spread = n * m / 12 * (n + m + 1 - (ties**3 - ties).sum() / ((n + m) * (n + m - 1)))
    if not spread > 0:
        return 1.0
    smaller = base.searchsorted(head, "left").sum() + base.searchsorted(head, "right").sum()
    # Half a step towards the middle: U moves by halves at least, the normal is continuous.
    away = max(abs(smaller / 2 - n * m / 2) - 0.5, 0)
    return min(2 * float(ndtr(-away / np.sqrt(spread))), 1.0)


def _deviations(measurements: Sequence[_Sorted]) -> Floats:
    """Return resampled log medians less the log of the median, (measurements, resamples)."""
    alike: dict[int, list[int]] = defaultdict(list)
    for index, one in enumerate(measurements):
        alike[len(one.sizes)].append(index)
    found = np.empty((len(measurements), _RESAMPLES))
    for rounds, indices in alike.items():
        draws = _draws(rounds)
        for start in range(0, len(indices), _AT_ONCE):
            some = indices[start : start + _AT_ONCE]
            medians = _resample([measurements[index] for index in some], *draws)
            centres = [[measurements[index].median] for index in some]
            found[some] = np.log(medians / centres) * np.sqrt(rounds / max(rounds - 1, 1))
    return found


def _resample(measurements: Sequence[_Sorted], drawn: Floats, noise: Floats) -> Floats:
    """Return medians of resamples, (measurements, resamples), of measurements of as many rounds.

    How many of a resample's samples lie below a value is binomial once its rounds are drawn. Its
    normal approximation takes the place of drawing them: the middle moves by half the root of the
    number of samples.
    """
    values, before = map(np.stack, zip(*map(_steps, measurements), strict=True))

    rows = np.arange(before.shape[0] * before.shape[1]).reshape(before.shape[:2]) * before.shape[2]

    def drawn_before(steps: NDArray[np.int64]) -> Floats:
        found = before.ravel().take(rows[..., None] + steps[:, None, :])
        sums: Floats = np.einsum("mrd,rd->md", found, drawn)
        return sums

    samples = np.einsum("mr,rd->md", before[..., -1], drawn)
    middle = (samples - noise * np.sqrt(samples)) / 2
    after = np.zeros(middle.shape, np.int64)  # the first step that is not before the middle
    for stride in 2 ** np.arange(_STEPS.bit_length())[::-1]:
        further = np.minimum(after + stride, _STEPS)
        after = np.where(drawn_before(further - 1) < middle, further, after)
    after = after.clip(1)
    lower, upper = drawn_before(after - 1), drawn_before(after)
    step = upper - lower
    share = np.divide(middle - lower, step, out=np.zeros_like(step), where=step > 0).clip(0, 1)
    left, right = (np.take_along_axis(values, at, axis=1) for at in (after - 1, after))
    medians: Floats = left + share * (right - left)
    return medians


def _draws(rounds: int) -> tuple[Floats, Floats]:
    """Return how often each round is in each resample, (rounds, resamples), and a standard normal
    number for each resample.

    Head uses them forwards and base backwards, so the two are independent, and swapping them gives
    the same pairs of resamples again.
    """
    generator = np.random.default_rng(0)
    drawn = generator.multinomial(rounds, np.full(rounds, 1 / rounds), _RESAMPLES).T
    return drawn.astype(np.float64), generator.standard_normal(_RESAMPLES)


def _steps(one: _Sorted) -> tuple[Floats, Floats]:
    """Return points of the quantile function (steps), and how many of each round's samples lie
    before them (rounds, steps).
    """
    n = len(one.samples)
    before = np.zeros((len(one.sizes), n + 1))
    before[one.owners, np.arange(1, n + 1)] = 1
    steps = np.arange(_STEPS + 1) * n // _STEPS
    edges = np.concatenate([one.samples[:1], one.samples, one.samples[-1:]])
    return (edges[steps] + edges[steps + 1]) / 2, before.cumsum(axis=1)[:, steps]
