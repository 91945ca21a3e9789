"""What is known of a cell from the confirmations of earlier nightly runs."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mobilebench.reports.history.change_points import Array, logarithms
from mobilebench.reports.history.outcomes import CHANGES, Outcome, Outcomes, agree
from mobilebench.reports.history.screening import LEVEL_NIGHTS
from mobilebench.reports.history.timeline import Timeline


@dataclass(frozen=True)
class Past:
    """A cell up to tonight."""

    measured: tuple[int, ...]  # nights, tonight last
    keys: tuple[str, ...]  # of the library of each of them
    called: tuple[tuple[int, float], ...]  # nights of steps that were called, and their logarithms
    settled: int  # up to this night there is nothing to suspect any more
    pending: Outcome | None  # a change that last night's showed, and that was not called yet


def past_of(
    timeline: Timeline,
    cell: int,
    latency: Array,
    keys: npt.NDArray[np.object_],
    outcomes: Outcomes,
) -> Past:
    """Go through a cell's nights before tonight as they were.

    latency, keys: a night each, NaN where it was not measured; it was tonight. A change was called
    where two nights in a row agreed; a night whose library was shown to be the old one's like
    settles all nights before it.
    """
    measured = tuple(map(int, np.flatnonzero(np.isfinite(latency))))
    known = _known(timeline, cell, measured[:-1], outcomes)
    called: list[tuple[int, float]] = []
    settled = -1
    for before, night in zip((-1, *measured), measured[:-1], strict=False):
        outcome = known.get(night)
        if outcome is None:
            continue
        same_library = before >= 0 and bool(keys[night]) and keys[night] == keys[before]
        if outcome.verdict == "same":
            settled = night
        elif before > settled and agree(outcome, known.get(before), same_library=same_library):
            start = _onset(logarithms(latency), _night_of(timeline, outcome.base_run_id), before)
            called.append((start, float(np.log(outcome.ratio))))
            settled = night
    last_night = measured[:-1][-1] if measured[:-1] else -1
    last = known.get(last_night)
    pending = last is not None and last_night > settled and last.verdict in CHANGES
    named = tuple(str(keys[night]) for night in measured)
    return Past(measured, named, tuple(called), settled, last if pending else None)


def _known(
    timeline: Timeline, cell: int, nights: tuple[int, ...], outcomes: Outcomes
) -> Mapping[int, Outcome]:
    if not outcomes:
        return {}
    found = (
        (night, outcomes.get((timeline.nights[night].run_id, timeline.cells[cell])))
        for night in nights
    )
    return {night: outcome for night, outcome in found if outcome is not None}


def _night_of(timeline: Timeline, run_id: str) -> int:
    found = (night for night, run in enumerate(timeline.nights) if run.run_id == run_id)
    return next(found, -1)


def _onset(logs: Array, base: int, last: int) -> int:
    """Return the night after `base` and not after `last` where a step fits best."""
    first = max(base - LEVEL_NIGHTS, 0)
    nights = np.arange(first, last + 2)
    nights = nights[np.isfinite(logs[nights])]

    def misfit(start: int) -> float:
        parts = (logs[nights[nights < start]], logs[nights[nights >= start]])
        return sum(len(part) * float(np.var(part)) for part in parts if len(part))

    return min((int(night) for night in nights if base < night <= last), key=misfit, default=last)
