"""Whether, when and by how much a network became slower under load: a trace in, figures out."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import median

from mobilebench.reports.records.trace import TracePoint

SLOWER = 1.05  # times the first seconds' latency; less is as likely to be noise
_FIRST_S = 10.0  # before heat can slow anything
_FIRST_MINUTE_S = 60.0
_SMOOTHED = 5  # points, whose median is not moved by a second of something else
_LEAST_POINTS = 8


@dataclass(frozen=True)
class Slowdown:
    """How latency went under load."""

    first_minute_ms: float  # or of the first half, if that is shorter
    slows_after_s: float | None  # None: it did not become slower
    steady_ms: float  # of the last quarter

    @property
    def speed_left(self) -> float:
        """How much of the first minute's speed the last quarter has."""
        return self.first_minute_ms / self.steady_ms


def find_slowdown(trace: Sequence[TracePoint]) -> Slowdown | None:
    """Return how latency went; None of a trace of fewer than eight points.

    It has slowed if the median of the last quarter is 5 % above that of the first ten seconds (of
    the first tenth, if that is shorter). The moment is the one that best parts the points that are
    not so much slower from those that are: from there on the second kind outnumbers the first by
    most. So a few slow seconds before, or a few fast ones after, do not move it.
    """
    if len(trace) < _LEAST_POINTS:
        return None
    whole_s = trace[-1].time_s
    first_ms = _median_until(trace, min(_FIRST_S, whole_s / 10))
    steady_ms = median(one.latency_ms for one in trace if one.time_s > 0.75 * whole_s)
    limit_ms = SLOWER * first_ms
    return Slowdown(
        first_minute_ms=_median_until(trace, min(_FIRST_MINUTE_S, whole_s / 2)),
        slows_after_s=_onset(trace, limit_ms) if steady_ms > limit_ms else None,
        steady_ms=steady_ms,
    )


def _median_until(trace: Sequence[TracePoint], time_s: float) -> float:
    found = [one.latency_ms for one in trace if one.time_s <= time_s]
    return median(found or [trace[0].latency_ms])


def _onset(trace: Sequence[TracePoint], limit_ms: float) -> float:
    """Return when latency rose above a limit, to stay there."""
    margin = _SMOOTHED // 2
    smoothed = [
        median(one.latency_ms for one in trace[max(0, place - margin) : place + margin + 1])
        for place in range(len(trace))
    ]
    votes = [1 if latency_ms > limit_ms else -1 for latency_ms in smoothed]
    from_here = list(accumulate(reversed(votes)))[::-1]
    place = from_here.index(max(from_here))
    return trace[place - 1].time_s if place else 0.0  # a point's time is that of its end
