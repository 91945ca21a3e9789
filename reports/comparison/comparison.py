"""The result of comparing two runs: plain data, and what is derived from it."""

from dataclasses import dataclass
from typing import Literal, get_args

from mobilebench.reports.comparison.watched import Change
from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.records.record import UNSUPPORTED

Speed = Literal["slower", "faster", "same", "unclear"]
CHANGED: tuple[Speed, ...] = ("slower", "faster")
Verdict = Literal[
    "broken", "slower", "worse", "fixed", "faster", "better", "failed", "unclear", "same"
]
"""Of a whole cell: the first that is true.

broken   ok in BASE, not in HEAD
slower   latency grew
worse    instructions, memory, accuracy, the artifact's size or compile time got worse
fixed    not ok in BASE, ok in HEAD
faster   latency shrank
better   instructions, memory, accuracy, the artifact's size or compile time got better
failed   ok in neither
unclear  latency may have changed or not
same     none of these
"""
SEVERITY: tuple[Verdict, ...] = get_args(Verdict)
REGRESSIONS, IMPROVEMENTS = SEVERITY[:3], SEVERITY[3:6]


@dataclass(frozen=True)
class LatencyChange:
    """Medians in milliseconds, and their ratio as ratio.Ratio has it."""

    base_ms: float
    head_ms: float
    ratio: float
    low: float
    high: float
    mann_whitney_p: float
    p: float
    p_adjusted: float  # for as many cells as were compared
    verdict: Speed
    why_unclear: str  # though the samples differ: what the machine has to do with it; else empty
    confirmed: bool  # both artifacts were measured again, beside each other


@dataclass(frozen=True)
class FigureChange:
    """A watched figure of both runs, in its column's unit."""

    column: str
    name: str
    base: float
    head: float
    change: Change


@dataclass(frozen=True)
class CellChange:
    """A cell that both runs have."""

    cell: CellKey
    emulated: bool
    base_status: str
    head_status: str
    head_error: str
    latency: LatencyChange | None  # None unless both are ok, have samples, and are no emulator's
    figures: tuple[FigureChange, ...]
    doubts: tuple[str, ...]  # why not to trust the latency too much

    @property
    def verdict(self) -> Verdict:
        """The verdict on the cell, one of the words above."""
        if self.base_status == self.head_status == UNSUPPORTED:
            return "same"
        was_ok, is_ok = self.base_status == "ok", self.head_status == "ok"
        changes = {figure.change for figure in self.figures}
        unknown: Speed = "same" if self.emulated else "unclear"
        speed = self.latency.verdict if self.latency else unknown
        true: dict[Verdict, bool] = {
            "broken": was_ok and not is_ok,
            "slower": speed == "slower",
            "worse": "worse" in changes,
            "fixed": is_ok and not was_ok,
            "faster": speed == "faster",
            "better": "better" in changes,
            "failed": not is_ok,
            "unclear": speed == "unclear",
        }
        for verdict, holds in true.items():
            if holds:
                return verdict
        return "same"


@dataclass(frozen=True)
class Lone:
    """A cell that only one run has, or that found no board in the other run."""

    cell: CellKey
    emulated: bool
    status: str
    why: str  # of the other run's row, where that found no board; else empty


@dataclass(frozen=True)
class Side:
    """One of the two runs."""

    run_id: str
    started_at: str  # UTC, ISO 8601
    rows: int


@dataclass(frozen=True)
class Difference:
    """A difference between the two runs, such as a version."""

    what: str
    base: str
    head: str


@dataclass(frozen=True)
class Comparison:
    """The comparison of two runs."""

    base: Side
    head: Side
    differences: tuple[Difference, ...]
    remarks: tuple[str, ...]  # what a reader should know of all cells
    threshold_percent: float
    alpha: float
    cells: tuple[CellChange, ...]  # worst first
    new: tuple[Lone, ...]  # in HEAD alone
    gone: tuple[Lone, ...]  # in BASE alone

    def having(self, *verdicts: Verdict) -> list[CellChange]:
        """Return the cells with one of these verdicts."""
        return [cell for cell in self.cells if cell.verdict in verdicts]

    @property
    def regressions(self) -> list[CellChange]:
        """The cells that got worse."""
        return self.having(*REGRESSIONS)
