"""Which candidates an answer shows, and why each was not chosen."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mobilebench.reports.choice.budgets import megabytes, percent_of, points
from mobilebench.reports.choice.candidates import Candidate
from mobilebench.reports.choice.choose import Choice
from mobilebench.reports.tables.table import milliseconds

SHOWN = 5  # of each kind, in a table; JSON has all
_SETTINGS_SHOWN = 3


@dataclass(frozen=True)
class NotChosen:
    """A candidate that was left out."""

    candidate: Candidate
    why: str


def runners_up(choice: Choice) -> list[NotChosen]:
    """Return the others within the budgets, best first."""
    if choice.chosen is None:
        return []
    chosen = choice.chosen
    return [NotChosen(one, beside(one, chosen)) for one in choice.within[1:]]


def over_budget(choice: Choice) -> list[NotChosen]:
    """Return what does not meet the budgets, nearest first."""
    return [
        NotChosen(one.candidate, ", ".join(excess.words for excess in one.excesses))
        for one in choice.over
    ]


def shown_runners_up(choice: Choice) -> list[NotChosen]:
    """Return the best settings of each other network and precision within the budgets."""
    chosen = choice.chosen
    others = [one for one in runners_up(choice) if chosen and not _alike(one.candidate, chosen)]
    return list(_best_settings(others))[:SHOWN]


def shown_settings(choice: Choice) -> list[NotChosen]:
    """Return other runtimes and thread counts of the network that was chosen."""
    chosen = choice.chosen
    everything = [*runners_up(choice), *over_budget(choice)]
    alike = [one for one in everything if chosen and _alike(one.candidate, chosen)]
    return alike[:_SETTINGS_SHOWN]


def shown_over_budget(choice: Choice) -> list[NotChosen]:
    """Return what would have been more accurate, nearest to the budgets first.

    Where nothing meets the budgets it is whatever is nearest.
    """
    best = choice.chosen.accuracy.percent if choice.chosen and choice.chosen.accuracy else None
    better = [
        one
        for one in over_budget(choice)
        if best is None or (one.candidate.accuracy and one.candidate.accuracy.percent > best)
    ]
    return list(_best_settings(better))[:SHOWN]


def beside(one: Candidate, chosen: Candidate) -> str:
    """Say what a candidate is beside the one that was chosen."""
    return ", ".join([*_accuracy(one, chosen), *_costs(one, chosen)])


def _accuracy(one: Candidate, chosen: Candidate) -> Iterator[str]:
    mine, best = one.accuracy, chosen.accuracy
    assert mine and best
    if mine.percent < best.percent:
        yield f"{mine.metric} {points(best.percent - mine.percent)} lower"
    elif mine.borrowed and not best.borrowed:
        yield f"as accurate only by what was {mine.borrowed}"
    else:
        yield "as accurate"


def _costs(one: Candidate, chosen: Candidate) -> Iterator[str]:
    slower = one.latency_ms - chosen.latency_ms
    if slower:
        share = percent_of(abs(slower), chosen.latency_ms)
        word = "slower" if slower > 0 else "faster"
        yield f"{milliseconds(abs(slower))} ms ({share}) {word}"
    else:
        yield "as fast"
    if one.memory_bytes is None or chosen.memory_bytes is None:
        return
    if one.memory_planned != chosen.memory_planned:
        return  # not the same quantity
    larger = one.memory_bytes - chosen.memory_bytes
    if abs(larger) >= 10_000:
        yield f"{megabytes(abs(larger))} MB {'larger' if larger > 0 else 'smaller'}"


def _alike(one: Candidate, other: Candidate) -> bool:
    return _network(one) == _network(other)


def _network(one: Candidate) -> tuple[str, str, str]:
    return one.cell.variant, one.cell.weights, one.cell.precision


def _best_settings(ordered: Iterable[NotChosen]) -> Iterator[NotChosen]:
    seen = set()
    for one in ordered:
        network = _network(one.candidate)
        if network not in seen:
            seen.add(network)
            yield one
