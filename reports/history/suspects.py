"""Finds cells whose newest nights seem slower, or faster, than the nights before."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mobilebench.reports.history.change_points import Array, logarithms, order_of
from mobilebench.reports.history.earlier_runs import Past, past_of
from mobilebench.reports.history.outcomes import LEAST_CHANGE, Outcomes
from mobilebench.reports.history.screening import RECENT, screen
from mobilebench.reports.history.timeline import CALIBRATION, INTERVAL, LATENCY, Timeline
from mobilebench.reports.records.cell_key import CellKey

BARS = np.array([1.6, 1.2, *[2.2] * (RECENT - 2)])
"""The least score of the newest 1, 2, ... nights that is suspected, if they are slower."""
FASTER_BARS = BARS + 1
"""The same if they are faster: that can wait for more nights."""
_LEVEL = 20  # nights before a change that tell how fast the machine was
_MARGIN = 4  # nights, tonight one of them
_BASES = 5  # nights to choose from, where a library is gone from the cache


@dataclass(frozen=True)
class Library:
    """What was measured in a night: TVM's library, by its key in the cache."""

    run_id: str
    artifact_key: str


@dataclass(frozen=True)
class LibraryPair:
    """Two nights' libraries of a cell, to be measured beside each other.

    `bases` are alike for the purpose, the best first: the next is for when one is gone. The result
    is a Confirmation of head's run and the base's.
    """

    cell: CellKey
    bases: tuple[Library, ...]
    head: Library


@dataclass(frozen=True)
class Suspect:
    """A cell whose newest nights seem slower, or faster, than the nights before."""

    cell: CellKey
    slower: bool
    ratio: float  # of the newest nights' level to that of before
    machine: float  # the same of the calibration kernel; NaN if that was not timed
    score: float  # how many standard errors that is
    since: str  # the first night that looks so
    last_night: Library | None  # of the night before; None if nothing of that night is suspect
    pair: LibraryPair | None  # None if there is nothing to measure
    why_not: str  # measured: empty, or why there is nothing to measure
    same_library: bool  # before the change and after it
    pending: bool  # last night's library was shown to be changed


def find_suspects(timeline: Timeline, outcomes: Outcomes) -> list[Suspect]:
    """Return the cells that seem to have changed in the newest night, the most suspect first.

    outcomes: of the confirmations of the timeline's nights so far. Steps that were called are taken
    out of the history first, so that nothing is found twice.
    """
    if not len(timeline.rows):
        return []
    latency = np.where(timeline.emulated[:, None], np.nan, timeline.wide(LATENCY))
    timed = list(map(int, np.flatnonzero(np.isfinite(latency[:, -1]))))
    keys = timeline.texts("artifact_key")
    machine_ms = np.fmax(*(timeline.wide(column) for column in CALIBRATION))
    pasts = [past_of(timeline, cell, latency[cell], keys[cell], outcomes) for cell in timed]
    logs = logarithms(latency[timed])
    for row, past in zip(logs, pasts, strict=True):
        for night, change in past.called:
            row[night:] -= change
    order = order_of(logs)
    low, high = (np.take_along_axis(timeline.wide(end)[timed], order, 1) for end in INTERVAL)
    screened = screen(np.take_along_axis(logs, order, 1), low, high)
    found = []
    for index, (cell, past) in enumerate(zip(timed, pasts, strict=True)):
        starts = np.array(past.measured[::-1][:RECENT])  # nights, of the newest 1, 2, ...
        scores, changes = (
            screened.scores[: len(starts), index],
            screened.changes[: len(starts), index],
        )
        choice = _choose(scores, changes, starts > past.settled)
        if choice is None and past.pending is not None:
            choice = 1  # since last night
        if choice is not None:
            since = int(starts[choice])
            score, change = float(scores[choice]), float(changes[choice])
            times_ms = machine_ms[cell, list(past.measured)]
            machine = _machine(times_ms, len(times_ms) - choice - 1)
            changed = _Changed(since, change, machine, score)
            found.append(_suspect(timeline, timeline.cells[cell], past, changed))
    return sorted(found, key=lambda one: (not one.pending, not one.slower, -abs(one.score)))


def _choose(scores: Array, changes: Array, allowed: npt.NDArray[np.bool_]) -> int | None:
    """Return which number of newest nights, less one, is the most suspect; None if none is."""
    half = np.log(1 + LEAST_CHANGE) / 2
    bars = np.where(changes > 0, BARS[: len(scores)], FASTER_BARS[: len(scores)])
    suspect = allowed & np.isfinite(scores) & (np.abs(scores) >= bars) & (np.abs(changes) >= half)
    return int(np.where(suspect, np.abs(scores), 0).argmax()) if suspect.any() else None


@dataclass(frozen=True)
class _Changed:
    since: int  # the first night of it
    change: float  # of the logarithm of latency
    machine: float  # as Suspect has it
    score: float


def _machine(times_ms: Array, start: int) -> float:
    """Return how many times as long the calibration kernel took from a night on; NaN if unknown."""
    before, after = times_ms[max(0, start - _LEVEL) : start], times_ms[start:]
    if not (np.isfinite(before).any() and np.isfinite(after).any()):
        return float("nan")
    return float(np.nanmedian(after) / np.nanmedian(before))


def _suspect(timeline: Timeline, cell: CellKey, past: Past, changed: _Changed) -> Suspect:
    since, change = changed.since, changed.change
    libraries = {
        night: Library(timeline.nights[night].run_id, key)
        for night, key in zip(past.measured, past.keys, strict=True)
    }
    before, head = past.measured[:-1], libraries[past.measured[-1]]
    bases = [libraries[night] for night in _bases(past, since)]
    if past.pending is not None:
        first = past.pending.base_run_id
        bases.sort(key=lambda base: base.run_id != first)  # else as they were
    why_not = _why_not(cell, head, bases)
    return Suspect(
        cell=cell,
        slower=change > 0 if past.pending is None else past.pending.verdict == "worse",
        ratio=float(np.exp(change)),
        machine=changed.machine,
        score=changed.score,
        since=timeline.nights[since].run_id,
        last_night=libraries[before[-1]] if before and before[-1] > past.settled else None,
        pair=None if why_not else LibraryPair(cell, tuple(bases), head),
        why_not=why_not,
        same_library=bool(bases and head.artifact_key)
        and bases[0].artifact_key == head.artifact_key,
        pending=past.pending is not None,
    )


def _why_not(cell: CellKey, head: Library, bases: Sequence[Library]) -> str:
    """Return why a suspect cannot be measured again; empty if it can."""
    if not head.artifact_key:
        return (
            "its library was not kept" if cell.runtime == "tvm" else "only TVM's libraries are kept"
        )
    if not bases:
        return "no library from before the change is known"
    if _is_same(head, bases):
        return f"the library is the same as in run {bases[0].run_id}"
    return ""


def _is_same(head: Library, bases: Sequence[Library]) -> bool:
    return bool(bases and head.artifact_key) and bases[0].artifact_key == head.artifact_key


def _bases(past: Past, since: int) -> list[int]:
    """Return the nights of before a change that have a library, the best first.

    That is the newest of those before the last _MARGIN: a change may be older than it looks. Never
    last night, and never a night of before a step that was called: it would be found again.
    """
    first = past.called[-1][0] if past.called else 0
    nights = list(zip(past.measured, past.keys, strict=True))[:-2]
    kept = [night for night, key in nights if key and first <= night < since]
    late = [night for night in kept if night in past.measured[-_MARGIN:]]
    return (kept[: len(kept) - len(late)][::-1] + late)[:_BASES]
