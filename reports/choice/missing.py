"""What was not measured and could change the answer."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mobilebench.reports.choice.budgets import ACCURACY, MEMORY
from mobilebench.reports.choice.candidates import Candidate, TargetRows, Wanted
from mobilebench.reports.choice.choose import Choice
from mobilebench.reports.choice.known_accuracy import PUBLISHED_AT, published
from mobilebench.reports.published.figures import published_accuracies


@dataclass(frozen=True)
class Missing:
    """Rows of one precision that one run would measure."""

    reason: str  # in words
    variants: tuple[str, ...]
    precision: str
    threads: tuple[int, ...]
    runtimes: tuple[str, ...] = ()  # empty: all
    weights: tuple[str, ...] = ()  # labels; empty: any
    data: bool = False  # accuracy too


def find_missing(
    rows: TargetRows, choice: Choice, wanted: Wanted, precisions: Sequence[str]
) -> tuple[Missing, ...]:
    """Return what a run would have to measure, for each precision of these that the target has.

    Only what could change the answer: networks whose accuracy, as far as it is known, is above the
    chosen one's, and figures that are not known.
    """
    found: list[Missing] = [*_estimated(choice)]
    for precision in precisions:
        found += _unmeasured(rows, choice, wanted, precision)
        found += _failed(rows, choice, wanted, precision)
    return (*found, *_without_figures(choice))


def _estimated(choice: Choice) -> Iterator[Missing]:
    chosen = choice.chosen
    if chosen and chosen.estimated:
        cell = chosen.cell
        yield Missing(
            "the choice is an estimate",
            (cell.variant,),
            cell.precision,
            (cell.threads,),
            (cell.runtime,),
        )


def _unmeasured(
    rows: TargetRows, choice: Choice, wanted: Wanted, precision: str
) -> Iterator[Missing]:
    names = [
        name
        for name, known in published_accuracies().items()
        if known.task == wanted.task
        and (name, precision) not in rows.measured
        and _could_win(known.percent, choice)
    ]
    if names:
        at = "" if precision == PUBLISHED_AT else f" at {precision}"
        reason = f"{_counted(names, 'published network')} never measured on {wanted.target}{at}"
        if choice.chosen:
            reason += ", more accurate than the choice by what was published"
        yield Missing(reason, tuple(names), precision, _threads(rows, wanted), wanted.runtimes)


def _failed(rows: TargetRows, choice: Choice, wanted: Wanted, precision: str) -> Iterator[Missing]:
    cells = [
        one.cell
        for one in rows.not_counted
        if one.status != "wrong" and one.cell.precision == precision
    ]
    could = [
        cell
        for cell in cells
        if not (known := published(cell.variant, wanted.task, precision))
        or _could_win(known.percent, choice)
    ]
    if could:
        yield Missing(
            f"{_counted(_distinct(cell.variant for cell in could), 'network')} failed when last "
            f"measured at {precision}",
            _distinct(cell.variant for cell in could),
            precision,
            tuple(sorted({cell.threads for cell in could})),
            _distinct(cell.runtime for cell in could),
            _distinct(cell.weights for cell in could),
        )


def _without_figures(choice: Choice) -> Iterator[Missing]:
    lacking = {
        quantity: [
            one.candidate
            for one in choice.over
            if all(excess.by is None and excess.quantity == quantity for excess in one.excesses)
        ]
        for quantity in (ACCURACY, MEMORY)
    }
    yield from _again([*choice.unknown, *lacking[ACCURACY]], "of unknown accuracy", data=True)
    yield from _again(lacking[MEMORY], "of unknown memory", data=False)
    chosen = choice.chosen
    if chosen and chosen.accuracy and chosen.accuracy.borrowed:
        cell = chosen.cell
        yield Missing(
            f"the accuracy of {cell.variant} at {cell.precision} is not known, only that at "
            f"{PUBLISHED_AT}",
            (cell.variant,),
            cell.precision,
            (cell.threads,),
            (cell.runtime,),
            (cell.weights,),
            data=True,
        )


def _again(candidates: Sequence[Candidate], what: str, data: bool) -> Iterator[Missing]:
    for precision in _distinct(one.cell.precision for one in candidates):
        cells = [one.cell for one in candidates if one.cell.precision == precision]
        variants = _distinct(cell.variant for cell in cells)
        yield Missing(
            f"{_counted(variants, 'network')} {what} at {precision}",
            variants,
            precision,
            tuple(sorted({cell.threads for cell in cells})),
            _distinct(cell.runtime for cell in cells),
            _distinct(cell.weights for cell in cells),
            data,
        )


def _could_win(percent: float, choice: Choice) -> bool:
    chosen, least = choice.chosen, choice.budgets.accuracy_percent
    if chosen and chosen.accuracy:
        return percent > chosen.accuracy.percent
    return least is None or percent >= least


def _threads(rows: TargetRows, wanted: Wanted) -> tuple[int, ...]:
    measured = {one.cell.threads for one in rows.candidates}
    return wanted.threads or tuple(sorted(measured)) or (1,)


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _counted(names: Sequence[str], one: str) -> str:
    return f"1 {one}" if len(names) == 1 else f"{len(names)} {one}s"
