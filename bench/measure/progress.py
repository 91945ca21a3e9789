"""What a run tells of itself while it goes on, to whoever shows or logs it."""

from collections.abc import Callable, Mapping
from typing import Protocol

from mobilebench.bench.measure.dispatch import Fleet
from mobilebench.reports.records.record import Record


class RunProgress(Protocol):
    """Shows how far a run is."""

    def begin(self, rows: int) -> None:
        """Say how many records there will be."""

    def watch(self, fleets: Callable[[], Mapping[str, Fleet]]) -> None:
        """Show how boards are doing from now on, a line for each key."""

    def say(self, what: str) -> None:
        """Say what is being done now."""

    def stage(self, cell: str, stage: str) -> None:
        """Say which step a cell is at."""

    def warn(self, what: str) -> None:
        """Say something that should be read."""

    def done(self, record: Record) -> None:
        """Count a finished record and show it in one line."""
