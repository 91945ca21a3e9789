"""A nightly run compared with earlier ones: what changed, what failed, what is new."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from mobilebench.reports.comparison.compare import compare_runs
from mobilebench.reports.comparison.comparison import Comparison, Difference
from mobilebench.reports.errors import ReportError
from mobilebench.reports.history.change_points import Changes
from mobilebench.reports.history.figure_changes import judge_figures
from mobilebench.reports.history.finding import Finding, Kind
from mobilebench.reports.history.history import changes_of, find_suspects, judge
from mobilebench.reports.history.outcomes import outcomes_of
from mobilebench.reports.history.screening import FEWEST
from mobilebench.reports.history.timeline import (
    DAY,
    MINUTE,
    Timeline,
    is_night,
    night_names,
    read_timeline,
    recent_nights,
)
from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.records.environment import SETTINGS, VERSIONS
from mobilebench.reports.records.store import Run, Store

UNNAMED = "any "  # begins the device of a row that never had a board: any KEY
_BESIDE = (
    *("error", "warnings", "retries", "effort", "latency_cv", "temperature_c", "load_1m"),
    *("cpu_mhz", "cpu_governor", "cpu_model"),
    *("accelerator", "host"),
)


@dataclass(frozen=True)
class Failure:
    """A row of tonight that is not ok."""

    cell: CellKey
    emulated: bool
    status: str
    error: str
    nights: int  # in a row, tonight the last of them
    was_ok: bool  # in a night before those


@dataclass(frozen=True)
class Tonight:
    """The newest night of a timeline.

    timeline: the nights that share anything with it, and what it or the night before measured; its
    rows have the columns of _BESIDE too. In the lists of cells a board stands for all of its kind:
    on which one a job ran is no news.
    """

    timeline: Timeline
    changes: dict[CellKey, Changes]  # of latency, for people to look at; none of an emulator's
    findings: tuple[Finding, ...]
    failures: tuple[Failure, ...]  # what was ok the night before comes first
    fixed: tuple[CellKey, ...]
    new: tuple[CellKey, ...]  # in no night before
    gone: tuple[CellKey, ...]  # in the night before alone
    versions: tuple[Difference, ...]  # of the night before and of tonight, the same ones too
    comparison: Comparison | None  # with the night before; None if they share no device

    @property
    def run(self) -> Run:
        """The night's own run."""
        return self.timeline.nights[-1]

    @property
    def last(self) -> Run:
        """The night before."""
        return self.timeline.nights[-2]

    @property
    def rows(self) -> pd.DataFrame:
        """Tonight's rows."""
        rows = self.timeline.rows
        return rows[rows["night"] == len(self.timeline.nights) - 1]

    @property
    def is_judged(self) -> bool:
        """Whether there are enough nights to judge latency by its history."""
        return len(self.timeline.nights) > FEWEST

    @cached_property
    def dates(self) -> list[str]:
        """The name of each night: its date, with the time where a date has several."""
        return [name.replace("T", " ") for name in night_names(self.timeline.nights, DAY)]

    @cached_property
    def times(self) -> list[str]:
        """The date and time of each night, to the minute unless a minute has several."""
        return night_names(self.timeline.nights, MINUTE)

    @cached_property
    def commits(self) -> list[str]:
        """The commit of every night, short; empty where none is known."""
        rows = self.timeline.rows
        known = rows[rows["git_commit"] != ""].groupby("night")["git_commit"].last()
        return [known.get(night, "")[:10] for night in range(len(self.timeline.nights))]

    def is_emulated(self, cell: CellKey) -> bool:
        """Whether a cell's latency is an emulator's."""
        return cell in self._emulated

    @cached_property
    def _emulated(self) -> frozenset[CellKey]:
        pairs = zip(self.timeline.cells, self.timeline.emulated, strict=True)
        return frozenset(cell for cell, emulated in pairs if emulated)

    def having(self, kind: Kind) -> list[Finding]:
        """Return the findings of a kind."""
        return [finding for finding in self.findings if finding.kind == kind]


def read_tonight(store: Store, run: Run) -> Tonight | None:
    """Return a night beside those before.

    None if the run was not asked to be one, or no earlier one shares a cell with it.
    """
    if not is_night(run):
        return None
    whole = read_timeline(store, recent_nights(store, run))
    beside = store.frame(_BESIDE, [night.run_id for night in whole.nights])
    whole = replace(whole, rows=whole.rows.join(beside))
    timeline = _shared(whole)
    if len(timeline.nights) < 2:
        return None
    outcomes = outcomes_of(store.confirmations([night.run_id for night in whole.nights]))
    findings = [*judge(find_suspects(whole, outcomes), outcomes), *judge_figures(whole)]
    subjects = _subjects(timeline)
    ok, seen = (_nights_of(timeline, subjects, only) for only in (["ok"], None))
    return Tonight(
        timeline=timeline,
        changes={
            cell: changes
            for (cell, changes), emulated in zip(
                changes_of(timeline).items(), timeline.emulated, strict=True
            )
            if not emulated
        },
        findings=tuple(findings),
        failures=tuple(_failures(timeline, subjects, ok, seen)),
        fixed=tuple(_cells(timeline, subjects, ok[:, -1] & ~_last_was_ok(ok, seen))),
        new=tuple(_cells(timeline, subjects, seen[:, -1] & ~seen[:, :-1].any(axis=1))),
        gone=tuple(_cells(timeline, subjects, ~seen[:, -1] & seen[:, -2])),
        versions=tuple(_versions(timeline)),
        comparison=_comparison(store, *timeline.nights[-2:]),
    )


def _comparison(store: Store, last: Run, tonight: Run) -> Comparison | None:
    try:
        return compare_runs(store, last, tonight)
    except ReportError:  # no cell in common, the device included
        return None


def _shared(timeline: Timeline) -> Timeline:
    """Keep the nights that share anything with tonight, and what tonight or the last measured."""
    rows, tonight = timeline.rows, len(timeline.nights) - 1
    if not (rows["night"] == tonight).any():
        return replace(timeline, nights=())
    subjects = rows["cell"].map(dict(enumerate(_subjects(timeline))))
    mine = set(subjects[rows["night"] == tonight])
    nights = sorted(rows.loc[subjects.isin(mine), "night"].unique())
    rows = rows[rows["night"].isin(nights)]
    shown = set(subjects[rows.index[rows["night"].isin(nights[-2:])]])
    rows = rows[subjects[rows.index].isin(shown)]
    cells = sorted(rows["cell"].unique(), key=lambda cell: timeline.cells[cell])
    return Timeline(
        nights=tuple(timeline.nights[night] for night in nights),
        cells=tuple(timeline.cells[cell] for cell in cells),
        rows=rows.assign(
            night=rows["night"].map({night: at for at, night in enumerate(nights)}),
            cell=rows["cell"].map({cell: at for at, cell in enumerate(cells)}),
        ),
    )


def _subjects(timeline: Timeline) -> list[int]:
    """Number the cells so that those that differ by their device alone have the same number."""
    numbers: dict[CellKey, int] = {}
    return [numbers.setdefault(cell.on_any_device, len(numbers)) for cell in timeline.cells]


_Flags = npt.NDArray[np.bool_]


def _nights_of(
    timeline: Timeline, subjects: Sequence[int], statuses: Sequence[str] | None
) -> _Flags:
    """Tell which subject has a row, of some statuses, in which night."""
    rows = timeline.rows
    if statuses is not None:
        rows = rows[rows["status"].isin(statuses)]
    found = np.zeros((max(subjects) + 1, len(timeline.nights)), dtype=bool)
    found[np.array(subjects)[rows["cell"]], rows["night"]] = True
    return found


def _last_was_ok(ok: _Flags, seen: _Flags) -> _Flags:
    """Tell whose newest row before tonight was ok, or that there was none."""
    found = np.ones(len(ok), dtype=bool)
    for night in range(ok.shape[1] - 1):
        found = np.where(seen[:, night], ok[:, night], found)
    return np.asarray(found)


def _cells(timeline: Timeline, subjects: Sequence[int], wanted: _Flags) -> list[CellKey]:
    """Return a cell of each subject that is wanted: the one that has the newest row."""
    rows = timeline.rows.sort_values("night", kind="stable")
    newest = {subjects[cell]: timeline.cells[cell] for cell in rows["cell"]}
    return sorted(newest[subject] for subject in np.flatnonzero(wanted))


def _failures(
    timeline: Timeline, subjects: Sequence[int], ok: _Flags, seen: _Flags
) -> list[Failure]:
    rows = timeline.rows
    failed = rows[(rows["night"] == len(timeline.nights) - 1) & (rows["status"] != "ok")]
    found = []
    for row in failed.itertuples():
        subject = subjects[row.cell]
        good = np.flatnonzero(ok[subject])
        since = good[-1] + 1 if len(good) else 0
        found.append(
            Failure(
                cell=timeline.cells[row.cell],
                emulated=bool(row.emulated),
                status=row.status,
                error=row.error,
                nights=int(seen[subject, since:].sum()),
                was_ok=bool(len(good)),
            )
        )
    return sorted(found, key=lambda one: (not (one.was_ok and one.nights == 1), one.cell))


def _versions(timeline: Timeline) -> list[Difference]:
    """Return the versions of the last two nights; empty where a night has none."""
    rows = timeline.rows
    night = len(timeline.nights) - 1
    two = [rows[rows["night"] == one] for one in (night - 1, night)]

    def distinct(column: str, runtime: str = "") -> tuple[str, str]:
        own = (one[one["runtime"] == runtime] if runtime else one for one in two)
        before, after = (", ".join(sorted(set(one[column]) - {""})) for one in own)
        return before, after

    found = [Difference(what, *distinct(column)) for what, column in (VERSIONS | SETTINGS).items()]
    found += [
        Difference(runtime, *distinct("runtime_version", runtime))
        for runtime in sorted(set(two[1]["runtime"]) - {"tvm", "torch"})
    ]
    return [one for one in found if one.base or one.head]


def has_board(cell: CellKey) -> bool:
    """Whether there is a device, and not only a key for which no board answered."""
    return not cell.device.startswith(UNNAMED)
