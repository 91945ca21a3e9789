"""The latency of inference: statistics of raw samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from math import ceil
from typing import TYPE_CHECKING

from mobilebench.bench.config.effort import Effort
from mobilebench.reports.records.calibration import (
    Calibration,
    calibration_change,
    other_programs,
    speed_changes,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = Sequence[float] | NDArray[np.float64]

SPREAD_LIMIT = 0.10  # pyperf warns at a standard deviation of 10 % of the mean
DRIFT_LIMIT = 0.10
_RESAMPLES = 2000
_SAMPLES_AT_ONCE = 100_000  # resamples at once; they fit a core's cache
_MOST_DRAWN = 10_000  # samples of a resample; of a million an interval would take minutes


@dataclass(frozen=True)
class Latency:
    """Statistics of the times of single inferences, in milliseconds."""

    p50_ms: float
    p90_ms: float
    p99_ms: float
    mean_ms: float
    ci95_low_ms: float
    ci95_high_ms: float
    cv: float
    samples: int

    @staticmethod
    def from_rounds(rounds_ms: Sequence[Sequence[float]]) -> "Latency":
        """Compute the statistics of samples (milliseconds), a list per round.

        The interval is a two-level bootstrap of the median: rounds are drawn, then samples within
        them. Samples of one round share the state of the machine, so drawing samples alone would
        make the interval too narrow (Davison and Hinkley, Bootstrap Methods, section 3.8).
        """
        import numpy as np

        samples = np.fromiter(chain.from_iterable(rounds_ms), dtype=np.float64)
        medians = _resampled_medians(rounds_ms)
        p50, p90, p99 = np.percentile(samples, [50, 90, 99])
        low, high = np.percentile(medians, [2.5, 97.5])
        mean = float(samples.mean())
        return Latency(
            p50_ms=float(p50),
            p90_ms=float(p90),
            p99_ms=float(p99),
            mean_ms=mean,
            ci95_low_ms=float(low),
            ci95_high_ms=float(high),
            cv=float(samples.std(ddof=1) / mean) if len(samples) > 1 else 0.0,
            samples=len(samples),
        )


def _resampled_medians(rounds_ms: Sequence[Sequence[float]]) -> "NDArray[np.float64]":
    """Return the median of each resample: rounds drawn, and samples within them."""
    import numpy as np

    generator = np.random.default_rng(0)
    rounds = _thinned(rounds_ms)
    sizes = np.array([len(one) for one in rounds])
    table = np.full((len(sizes), sizes.max()), np.nan)
    for row, one in zip(table, rounds, strict=True):
        row[: len(one)] = one
    at_once = max(1, _SAMPLES_AT_ONCE // table.size)
    medians = []
    for first in range(0, _RESAMPLES, at_once):
        resamples = min(at_once, _RESAMPLES - first)
        drawn = generator.integers(len(sizes), size=(resamples, len(sizes)))
        many = sizes[drawn][..., None]
        places = generator.integers(many, size=(*drawn.shape, table.shape[1]))
        found = table[drawn[..., None], places]
        found[np.arange(table.shape[1]) >= many] = np.nan  # short rounds have fewer
        ranked = np.sort(found.reshape(resamples, -1), axis=1)  # NaN is sorted to the end
        samples = many.sum(axis=1)
        middle = np.concatenate([(samples - 1) // 2, samples // 2], axis=1)
        medians.append(np.take_along_axis(ranked, middle, axis=1).mean(axis=1))
    return np.concatenate(medians)


def _thinned(
    rounds_ms: Sequence[Sequence[float]],
) -> "Sequence[Sequence[float] | NDArray[np.float64]]":
    """Return rounds of together `_MOST_DRAWN` samples, where there are more.

    A round's are evenly spaced in the order of their sizes, so that its distribution stays. From
    fewer samples the interval is rather too wide; what differs between rounds is most of it.
    """
    import numpy as np

    samples = sum(map(len, rounds_ms))
    if samples <= _MOST_DRAWN:
        return rounds_ms
    kept = [max(1, len(one) * _MOST_DRAWN // samples) for one in rounds_ms]
    return [
        np.sort(one)[(2 * np.arange(count) + 1) * len(one) // (2 * count)]
        for one, count in zip(rounds_ms, kept, strict=True)
    ]


def round_size(effort: Effort, expected_ms: float) -> int:
    """Return how many samples a round needs if an inference takes `expected_ms`."""
    for_duration = effort.min_duration_s * 1000 / max(expected_ms, 1e-3)
    return ceil(max(effort.min_samples, for_duration) / effort.rounds)


def is_complete(effort: Effort, rounds_ms: Sequence[Sequence[float]]) -> bool:
    """Whether there are as many samples and seconds as the effort requires."""
    samples = list(chain.from_iterable(rounds_ms))
    return (
        len(rounds_ms) >= effort.rounds
        and len(samples) >= effort.min_samples
        and sum(samples) >= effort.min_duration_s * 1000
    )


def warnings_for(
    latency: Latency,
    calibration_before_ms: float | None,
    calibration_after_ms: float | None,
    stopped: str = "",
    calibrations: Sequence[Calibration] = (),
) -> list[str]:
    """Return the reasons to doubt a measurement; none if it was steady.

    `stopped` tells how a quota of CPU time has stopped the process meanwhile, if it has, and
    `calibrations` how fast the device was around the rounds.
    """
    found = []
    if latency.cv >= SPREAD_LIMIT:
        why = f", probably because {stopped}" if stopped else ""
        found.append(f"spread: standard deviation is {latency.cv:.0%} of the mean{why}")
    elif stopped:
        found.append(f"quota: {stopped}")
    if calibration_before_ms and calibration_after_ms:
        ratio = calibration_after_ms / calibration_before_ms
        if abs(ratio - 1) >= DRIFT_LIMIT:
            change = calibration_change(ratio, "after the measurement", "before it")
            found.append(f"host drifted: {change}")
    if changes := speed_changes(calibrations, DRIFT_LIMIT):
        found.append(f"host drifted between rounds: {', '.join(changes)}")
    return [*found, *filter(None, [other_programs(calibrations)])]
