"""Tonight's memory, accuracy, artifact size and compile time beside their history.

What the same code always gives alike is held against the night before, and called at once. What is
noisy is held against the median of the nights before, and called when two nights in a row are
beyond the figure's limits and far outside of its scatter.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from mobilebench.reports.comparison.watched import OF_IMAGES, WATCHED, Watched, change_of
from mobilebench.reports.history.change_points import Z95, Array, logarithms, scatter
from mobilebench.reports.history.finding import Finding, Kind
from mobilebench.reports.history.screening import FEWEST, LEVEL_NIGHTS
from mobilebench.reports.history.timeline import Timeline

FAR = 3.0
"""How many scatters each of two nights of a noisy figure must lie off."""
_NEW = 2  # nights that must agree


def judge_figures(timeline: Timeline) -> list[Finding]:
    """Return the changes of every watched figure of every cell in the newest night."""
    if not len(timeline.rows):
        return []
    return [
        finding
        for watched in WATCHED
        for finding in (_noisy if watched.noisy else _exact)(timeline, watched)
    ]


def _exact(timeline: Timeline, watched: Watched) -> Iterator[Finding]:
    """Compare tonight with the newest earlier night that has the figure, of the same images."""
    values = timeline.wide(watched.column)
    images, data = timeline.wide("images"), timeline.texts("data")
    nights = range(values.shape[1])
    known = np.isfinite(values)
    before = np.where(known[:, :-1], nights[:-1], -1).max(axis=1, initial=-1)
    for cell in np.flatnonzero(known[:, -1] & (before >= 0)):
        night, after = before[cell], float(values[cell, -1])
        same_images = (data[cell, night], images[cell, night]) == (data[cell, -1], images[cell, -1])
        if watched.column in OF_IMAGES and not same_images:
            continue
        change = change_of(watched, float(values[cell, night]), after, int(images[cell, -1]))
        if change != "same":
            kind: Kind = "regression" if change == "worse" else "improvement"
            why = f"{_number(values[cell, night])} in run {timeline.nights[night].run_id}"
            yield Finding(
                kind=kind,
                cell=timeline.cells[cell],
                column=watched.column,
                name=watched.name,
                worse=change == "worse",
                ratio=_ratio(float(values[cell, night]), after),
                low=None,
                high=None,
                since_run_id=timeline.nights[-1].run_id,
                why=f"{_number(after)} after {why}",
            )


def _noisy(timeline: Timeline, watched: Watched) -> Iterator[Finding]:
    """Compare the newest nights with the median of those before."""
    values = timeline.wide(watched.column)
    if watched.column == "compile_s":
        values = _without_repeats(timeline, values)
    cells = np.flatnonzero(np.isfinite(values[:, -1]))
    logs = logarithms(values[cells])
    for cell, row in zip(cells, logs, strict=True):
        measured = np.flatnonzero(np.isfinite(row))
        finding = _of_newest(timeline, watched, int(cell), row[measured], measured)
        if finding is not None:
            yield finding


def _of_newest(
    timeline: Timeline, watched: Watched, cell: int, logs: Array, measured: npt.NDArray[np.intp]
) -> Finding | None:
    for new, kind in ((_NEW, "called"), (1, "pending")):
        old = logs[:-new][-LEVEL_NIGHTS:]
        if len(old) < FEWEST:
            continue
        level, spread = float(np.median(old)), float(scatter(old[None])[0])
        newest = {_side(watched, level, float(one), spread) for one in logs[-new:]}
        last_old = _side(watched, level, float(logs[-new - 1]), spread)
        if newest in ({"worse"}, {"better"}) and last_old not in newest:
            (side,) = newest
            error = spread * float(np.sqrt(1 / new + 1 / len(old)))
            change = float(np.mean(logs[-new:])) - level
            called: Kind = "regression" if side == "worse" else "improvement"
            return Finding(
                kind=called if kind == "called" else "pending",
                cell=timeline.cells[cell],
                column=watched.column,
                name=watched.name,
                worse=side == "worse",
                ratio=float(np.exp(change)),
                low=float(np.exp(change - Z95 * error)),
                high=float(np.exp(change + Z95 * error)),
                since_run_id=timeline.nights[int(measured[-new])].run_id,
                why=f"{_number(np.exp(logs[-1]))} after a median of {_number(np.exp(level))}",
            )
    return None


def _side(watched: Watched, level: float, log: float, spread: float) -> str:
    """Return on which side of the level a night is, if beyond the limits and the scatter."""
    if abs(log - level) < FAR * spread:
        return "same"
    return change_of(watched, float(np.exp(level)), float(np.exp(log)), 0)


def _without_repeats(timeline: Timeline, values: Array) -> Array:
    """Leave out nights whose library was in the cache: its time is that of the night before."""
    keys = timeline.texts("artifact_key")
    found = values.copy()
    for row, names in zip(found, keys, strict=True):
        seen = ""
        for night, name in enumerate(names):
            if name and name == seen:
                row[night] = np.nan
            seen = name or seen
    return found


def _ratio(before: float, after: float) -> float:
    return after / before if before else float("inf")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
