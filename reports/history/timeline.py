"""The figures of every cell in each of many nightly runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mobilebench.reports.comparison.watched import WATCHED
from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.records.environment import VERSIONS
from mobilebench.reports.records.record import UNSUPPORTED
from mobilebench.reports.records.store import Run, Store

WINDOW = 60
"""How many nights are used: older ones say little about tonight."""
NIGHTLY = "check_regressions"
"""The option that asks for a night, as a run's suite has it."""
LATENCY = "latency_p50_ms"
CALIBRATION = ("calibration_before_ms", "calibration_after_ms")
INTERVAL = ("latency_ci95_low_ms", "latency_ci95_high_ms")
DAY, MINUTE = 10, 16
"""Characters of a time (ISO 8601) that tell the day, and the minute too."""
_SECOND = 19
CELL = CellKey.names()
_COLUMNS = (
    *("run_id", "status", "emulated", "artifact_key", *CELL, *VERSIONS.values()),
    "runtime_version",
    *(LATENCY, *INTERVAL, *CALIBRATION),
    *(watched.column for watched in WATCHED),
    *("data", "images"),
)


@dataclass(frozen=True)
class Timeline:
    """Cells over nights; a night is a run.

    rows: a row for each record, in the order of writing; beside the record's columns `night` and
    `cell` say which of `nights` and `cells` it is of. Failed rows are among them, and none of
    what a runtime or a target has not.
    """

    nights: tuple[Run, ...]  # the oldest first
    cells: tuple[CellKey, ...]
    rows: pd.DataFrame

    def wide(self, column: str) -> npt.NDArray[np.float64]:
        """Return a number of the ok rows, cells x nights; NaN where there is none."""
        return self._spread(column, np.nan, float)

    def texts(self, column: str) -> npt.NDArray[np.object_]:
        """Return a text of the ok rows, cells x nights; empty where there is none."""
        return self._spread(column, "", object)

    def until(self, night: int) -> "Timeline":
        """Return the timeline as it was after a night, given by its index."""
        rows = self.rows[self.rows["night"] <= night]
        return Timeline(self.nights[: night + 1], self.cells, rows)

    @cached_property
    def emulated(self) -> npt.NDArray[np.bool_]:
        """The cells whose latency is an emulator's."""
        found = np.zeros(len(self.cells), dtype=bool)
        found[self.rows.loc[self.rows["emulated"], "cell"]] = True
        return found

    @cached_property
    def _ok(self) -> pd.DataFrame:
        return self.rows[self.rows["status"] == "ok"]

    def _spread(self, column: str, nothing: Any, kind: type) -> npt.NDArray[Any]:
        found: npt.NDArray[Any] = np.full((len(self.cells), len(self.nights)), nothing, dtype=kind)
        found[self._ok["cell"], self._ok["night"]] = self._ok[column]
        return found


def read_timeline(store: Store, runs: Sequence[Run]) -> Timeline:
    """Return the timelines of all cells in those runs, the oldest given first."""
    rows = store.frame(_COLUMNS, [run.run_id for run in runs])
    rows = rows[rows["status"] != UNSUPPORTED]
    numbers = {run.run_id: night for night, run in enumerate(runs)}
    number = rows.groupby(list(CELL), sort=False).ngroup()  # in the order of appearance, as here:
    cells = tuple(
        CellKey(*one) for one in rows[list(CELL)].drop_duplicates().itertuples(index=False)
    )
    rows = rows.assign(night=rows["run_id"].map(numbers).astype(int), cell=number)
    return Timeline(tuple(runs), cells, rows)


def is_night(run: Run) -> bool:
    """Whether a run was asked to be compared with earlier ones, or its suite does not tell."""
    return bool(run.suite.get(NIGHTLY, True))


def recent_nights(store: Store, tonight: Run, window: int = WINDOW) -> list[Run]:
    """Return the newest nights up to a run, the oldest first; other runs are left out."""
    runs = store.runs()
    at = [run.run_id for run in runs].index(tonight.run_id)
    return [*filter(is_night, runs[:at]), runs[at]][-window:]


def night_names(nights: Sequence[Run], shortest: int = DAY) -> list[str]:
    """Return when nights began, no two alike: as much of it as that needs, or their names too."""
    for length in (DAY, MINUTE, _SECOND):
        starts = [night.started_at[:length] for night in nights]
        if length >= shortest and len(set(starts)) == len(starts):
            return starts
    return [f"{night.started_at[:_SECOND]} {night.run_id}" for night in nights]
