"""Compares tonight's latency with its history: suspects, repeated measurements, and verdicts.

1. `find_suspects` compares medians, with a low bar: noise alone passes it now and then.
2. Each suspect's library is measured again beside one of before the change, interleaved on one
   device, so that what both share (the machine, its temperature) cancels: `Suspect.pair`.
3. Where that shows a change for the first time, last night's library is too: `second_pairs`.
4. `judge` calls a change when the libraries of two nights in a row agree.

Everything follows from the timeline and the stored confirmations; nothing else is kept.
"""

from collections.abc import Sequence

import numpy as np

from mobilebench.reports.history.change_points import Z95, Changes, find_changes
from mobilebench.reports.history.finding import Finding, Kind
from mobilebench.reports.history.outcomes import (
    CHANGES,
    LEAST_CHANGE,
    Outcome,
    Outcomes,
    agree,
)
from mobilebench.reports.history.suspects import LibraryPair, Suspect, find_suspects
from mobilebench.reports.history.timeline import INTERVAL, LATENCY, Timeline
from mobilebench.reports.records.cell_key import CellKey

__all__ = ["changes_of", "find_suspects", "judge", "second_pairs"]

UNCONFIRMED_BAR = 4.0
"""The least score that is reported if a cell could not be measured again."""


def second_pairs(suspects: Sequence[Suspect], outcomes: Outcomes) -> list[LibraryPair]:
    """Return last night's libraries that must be measured before a change can be called.

    Of suspects whose change tonight's confirmation has shown for the first time.
    """
    pairs = []
    for suspect in suspects:
        outcome, last = _tonight(suspect, outcomes), suspect.last_night
        if suspect.pair is None or outcome is None or outcome.verdict not in CHANGES:
            continue
        if last is None or not last.artifact_key or (last.run_id, suspect.cell) in outcomes:
            continue
        bases = [base for base in suspect.pair.bases if base.run_id == outcome.base_run_id]
        alike = {suspect.pair.head.artifact_key, *(base.artifact_key for base in bases)}
        if bases and last.artifact_key not in alike:
            pairs.append(LibraryPair(suspect.cell, tuple(bases), last))
    return pairs


def judge(suspects: Sequence[Suspect], outcomes: Outcomes) -> list[Finding]:
    """Return the verdict on every suspect, given the outcomes of measuring it again."""
    return [_judge(suspect, outcomes) for suspect in suspects if _is_worth_telling(suspect)]


def changes_of(timeline: Timeline, column: str = LATENCY) -> dict[CellKey, Changes]:
    """Return the steps, drifts and outliers in the timeline of every cell, for people to look at.

    From the nights' medians alone; nothing fails by them.
    """
    low, high = (timeline.wide(end) if column == LATENCY else None for end in INTERVAL)
    found = find_changes(timeline.wide(column), low, high)
    return dict(zip(timeline.cells, found, strict=True))


def _tonight(suspect: Suspect, outcomes: Outcomes) -> Outcome | None:
    if suspect.pair is None:
        return None
    return outcomes.get((suspect.pair.head.run_id, suspect.cell))


def _is_worth_telling(suspect: Suspect) -> bool:
    return suspect.pair is not None or abs(suspect.score) >= UNCONFIRMED_BAR


def _judge(suspect: Suspect, outcomes: Outcomes) -> Finding:
    outcome = _tonight(suspect, outcomes)
    kind, why = _verdict(suspect, outcome, outcomes)
    shown = outcome or Outcome("", suspect.ratio, *_interval(suspect))
    worse = bool(shown.ratio > 1) if outcome else suspect.slower
    return Finding(
        kind=kind,
        cell=suspect.cell,
        column=LATENCY,
        name="latency",
        worse=worse,
        ratio=shown.ratio,
        low=shown.low,
        high=shown.high,
        since_run_id=suspect.since,
        why=why,
    )


def _interval(suspect: Suspect) -> tuple[float, float]:
    half = abs(np.log(suspect.ratio) / suspect.score) * Z95 if suspect.score else 0.0
    return suspect.ratio * float(np.exp(-half)), suspect.ratio * float(np.exp(half))


def _of_the_machine(suspect: Suspect) -> str:
    """Say that the machine changed as much as the latency; empty if it did not, or may not have."""
    times, machine, was = suspect.ratio, suspect.machine, "slower"
    if times < 1:
        times, machine, was = 1 / times, 1 / machine, "faster"
    if not machine > 1 or times / machine > 1 + LEAST_CHANGE:
        return ""
    return f"unclear: the machine was {machine:.2f} times {was}, by its calibration kernel"


def _verdict(suspect: Suspect, outcome: Outcome | None, outcomes: Outcomes) -> tuple[Kind, str]:
    if suspect.same_library:
        return "dismissed", f"{suspect.why_not}: the device or its software changed, or it is noise"
    if suspect.pair is None or outcome is None:
        why = f"not measured again: {suspect.why_not or 'no device or no library was available'}"
        machine = _of_the_machine(suspect)
        return ("dismissed", f"{machine}; {why}") if machine else ("suspected", why)
    beside = f"measured beside run {outcome.base_run_id}'s library"
    if outcome.verdict == "same":
        return "dismissed", f"{beside} it is equally fast"
    if outcome.verdict == "unclear":
        return "dismissed", f"{beside} the change is not significant or below {LEAST_CHANGE:.0%}"
    last = suspect.last_night
    if last is not None:
        before = outcomes.get((last.run_id, suspect.cell))
        same_library = last.artifact_key == suspect.pair.head.artifact_key
        if agree(outcome, before, same_library=same_library):
            called: Kind = "regression" if outcome.verdict == "worse" else "improvement"
            return called, f"{beside}; the library of run {last.run_id} is the same as tonight's"
    return "pending", f"{beside}; the next night's library must confirm it"
