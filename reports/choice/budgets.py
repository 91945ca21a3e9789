"""What a network may take at most, and by how much it takes more."""

from collections.abc import Iterator
from dataclasses import dataclass

from mobilebench.reports.choice.candidates import Candidate
from mobilebench.reports.tables.table import milliseconds

LATENCY, MEMORY, ACCURACY = "latency", "memory", "accuracy"
_MEGABYTE = 1e6


@dataclass(frozen=True)
class Excess:
    """A budget that is not met."""

    quantity: str
    by: float | None  # in ms, bytes or percentage points; None if the figure is not known
    share: float  # of the budget; infinite if the figure is not known
    words: str


@dataclass(frozen=True)
class Budgets:
    """Limits; None is none."""

    latency_ms: float | None = None  # at most, of the median
    memory_bytes: float | None = None  # at most
    accuracy_percent: float | None = None  # at least, of the task's main figure

    def excesses(self, candidate: Candidate) -> tuple[Excess, ...]:
        """Return the budgets that a candidate does not meet, none if it meets all."""
        return tuple(self._excesses(candidate))

    def _excesses(self, candidate: Candidate) -> Iterator[Excess]:
        latency, memory, least = self.latency_ms, self.memory_bytes, self.accuracy_percent
        if latency is not None and candidate.latency_ms > latency:
            by = candidate.latency_ms - latency
            words = f"{milliseconds(by)} ms ({percent_of(by, latency)}) slower than the budget"
            yield Excess(LATENCY, by, by / latency, words)
        if memory is not None and candidate.memory_bytes is None:
            yield _unknown(MEMORY)
        elif memory is not None and (candidate.memory_bytes or 0) > memory:
            by = (candidate.memory_bytes or 0) - memory
            words = f"{megabytes(by)} MB ({percent_of(by, memory)}) larger than the budget"
            yield Excess(MEMORY, by, by / memory, words)
        if least is not None and candidate.accuracy is None:
            yield _unknown(ACCURACY)
        elif least is not None and candidate.accuracy and candidate.accuracy.percent < least:
            by = least - candidate.accuracy.percent
            words = f"{candidate.accuracy.metric} {points(by)} below the least"
            yield Excess(ACCURACY, by, by / least, words)


def megabytes(nbytes: float) -> str:
    """Show bytes in MB of 10^6 bytes."""
    return f"{nbytes / _MEGABYTE:.2f}"


def percent_of(part: float, whole: float) -> str:
    """Show a part as a share of the whole; a small one with a digit more."""
    percent = 100 * part / whole
    return f"{percent:.0f} %" if percent >= 9.5 else f"{percent:.1g} %"


def points(difference: float) -> str:
    """Show a difference of percentages."""
    shown = f"{difference:.1f}" if difference >= 0.05 else f"{difference:.2g}"
    return f"{shown} points"


def _unknown(quantity: str) -> Excess:
    return Excess(quantity, None, float("inf"), f"its {quantity} is not known")
