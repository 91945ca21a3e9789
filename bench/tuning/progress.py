"""What a search for tiles tells of itself while it goes on."""

from typing import Protocol

from mobilebench.schedules.tuning.progress import SearchStep


class TuningProgress(Protocol):
    """Shows how far a search is."""

    def say(self, what: str) -> None:
        """Say what is being done now."""

    def warn(self, what: str) -> None:
        """Say something that should be read."""

    def step(self, step: SearchStep) -> None:
        """Show what a step of the search did."""
