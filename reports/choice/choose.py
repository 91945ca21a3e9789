"""The most accurate candidate within the budgets, and in which order the others come."""

from dataclasses import dataclass

from mobilebench.reports.choice.budgets import Budgets, Excess
from mobilebench.reports.choice.candidates import Candidate, TargetRows


@dataclass(frozen=True)
class Over:
    """A candidate that does not meet the budgets."""

    candidate: Candidate
    excesses: tuple[Excess, ...]

    @property
    def distance(self) -> float:
        """The largest excess as a share of its budget; infinite if a figure is not known."""
        return max(one.share for one in self.excesses)


@dataclass(frozen=True)
class Choice:
    """The answer: who meets the budgets, best first, and who does not, nearest first."""

    budgets: Budgets
    within: tuple[Candidate, ...]
    over: tuple[Over, ...]
    unknown: tuple[Candidate, ...]  # within all budgets but without an accuracy

    @property
    def chosen(self) -> Candidate | None:
        """The most accurate within the budgets; None if none is."""
        return self.within[0] if self.within else None

    @property
    def nearest(self) -> Over | None:
        """The one that misses the budgets by the least, as a share of each; None if none has."""
        return self.over[0] if self.over else None


def choose(rows: TargetRows, budgets: Budgets) -> Choice:
    """Rank the candidates of a target by budgets.

    Of equally accurate ones the first is one whose accuracy is known at its own precision, then the
    fastest, the smallest, and the one with the fewest threads; what is still the same is ordered by
    name, so that the answer does not depend on the order of rows.
    """
    within, over, unknown = [], [], []
    for candidate in rows.candidates:
        excesses = budgets.excesses(candidate)
        if excesses:
            over.append(Over(candidate, excesses))
        elif candidate.accuracy is None:
            unknown.append(candidate)
        else:
            within.append(candidate)
    return Choice(
        budgets,
        tuple(sorted(within, key=rank)),
        tuple(sorted(over, key=lambda one: (one.distance, rank(one.candidate)))),
        tuple(sorted(unknown, key=rank)),
    )


def rank(candidate: Candidate) -> tuple[object, ...]:
    """Return what candidates are sorted by, the best first: see `choose`."""
    known = candidate.accuracy
    return (
        -known.percent if known else 0.0,
        bool(known and known.borrowed),
        candidate.latency_ms,
        float("inf") if candidate.memory_bytes is None else candidate.memory_bytes,
        candidate.cell.threads,
        candidate.cell,
    )
