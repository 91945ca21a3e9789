"""What a search for tiles reports about its progress."""

from typing import Protocol

from mobilebench.schedules.tuning.progress import SearchStep


class TuningProgress(Protocol):
    """Shows how far a search is."""

    def say(self, what: str) -> None:
        """Show what is being done now."""

    def warn(self, what: str) -> None:
        """Show a warning."""

    def step(self, step: SearchStep) -> None:
        """Show the result of a step of the search."""
