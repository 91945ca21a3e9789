"""What a run reports about its progress, for whoever shows or logs it."""

from collections.abc import Callable, Mapping
from typing import Protocol

from mobilebench.bench.measure.dispatch import Fleet
from mobilebench.reports.records.record import Record


class RunProgress(Protocol):
    """Shows how far a run is."""

    def begin(self, rows: int) -> None:
        """Set how many records there will be."""

    def watch(self, fleets: Callable[[], Mapping[str, Fleet]]) -> None:
        """Show from now on how many boards are busy, in one line for each key."""

    def say(self, what: str) -> None:
        """Show what is being done now."""

    def stage(self, cell: str, stage: str) -> None:
        """Show which step of a cell begins."""

    def step(self, cell: str, what: str) -> None:
        """Note which part of a step begins; empty if nothing of the cell goes on."""

    def warn(self, what: str) -> None:
        """Show a warning."""

    def done(self, record: Record) -> None:
        """Count a finished record and show it in one line."""

    def leave(self) -> None:
        """Show nothing more of what goes on: the run was interrupted."""
