"""How accurate a network is: as it was measured, or else as it was published."""

from collections.abc import Iterable
from dataclasses import dataclass

from mobilebench.reports.published.figures import published_accuracies
from mobilebench.reports.records.record import Record
from mobilebench.reports.tables.accuracy_metrics import metrics_of, wilson_interval

PUBLISHED_AT = "float32"
_RANDOM = "random("  # what labels of random weights begin with


@dataclass(frozen=True)
class KnownAccuracy:
    """The main figure of a network's task, and where it is from."""

    metric: str  # top-1, mAP or mIoU
    percent: float
    low_percent: float | None  # of the 95 % interval; None of a published figure
    high_percent: float | None
    measured: bool  # else published
    source: str  # in words
    borrowed: str = ""  # why it may be another at this row's precision; empty if it is the row's


class AccuracyBook:
    """The measured accuracies of a store."""

    def __init__(self, examined: Iterable[Record]) -> None:
        """Take rows that were measured on images, the newest last."""
        self._exact: dict[tuple[str, ...], list[Record]] = {}
        self._trained: dict[tuple[str, ...], list[Record]] = {}
        for row in examined:
            if row.status == "ok" and _percent(row) is not None:
                self._exact.setdefault((row.variant, row.weights, row.precision), []).append(row)
                if not row.weights.startswith(_RANDOM):
                    self._trained.setdefault((row.variant, row.precision), []).append(row)

    def look_up(self, row: Record) -> KnownAccuracy | None:
        """Return how accurate the network of a row is; None if nobody knows.

        Measured in this row, else in another row of the same network, weights and precision, if
        there is one in the same runtime. Random weights stand for any checkpoint of the variant.
        What was not measured may have been published, at float32.
        """
        if row.images and _percent(row) is not None:
            return _measured(row, row)
        found = self._exact.get((row.variant, row.weights, row.precision), [])
        if not found and row.weights.startswith(_RANDOM):
            found = self._trained.get((row.variant, row.precision), [])
        if found:
            alike = [one for one in found if one.runtime == row.runtime]
            return _measured((alike or found)[-1], row)
        return published(row.variant, row.task, row.precision)


def published(variant: str, task: str, precision: str) -> KnownAccuracy | None:
    """Return what was published of a variant, by its name; None if nothing was."""
    found, metrics = published_accuracies().get(variant), metrics_of(task)
    if found is None or metrics is None or found.task != task:
        return None
    borrowed = "" if precision == PUBLISHED_AT else f"published for {PUBLISHED_AT}"
    name = metrics.figures[0].name
    return KnownAccuracy(name, found.percent, None, None, False, found.source, borrowed)


def _percent(row: Record) -> float | None:
    metrics = metrics_of(row.task)
    if metrics is None:
        return None
    value: float | None = getattr(row, f"{metrics.figures[0].column}_percent")
    return value


def _measured(row: Record, asked: Record) -> KnownAccuracy:
    metrics, percent = metrics_of(row.task), _percent(row)
    assert metrics is not None and percent is not None
    figure = metrics.figures[0]
    if figure.column == "top1":
        low, high = wilson_interval(percent, row.images)
    else:
        low, high = (getattr(row, f"{figure.column}_ci95_{end}_percent") for end in ("low", "high"))
    source = f"measured on {row.images} images ({row.data})"
    if (row.runtime, row.target) != (asked.runtime, asked.target):
        source += f" in {row.runtime} on {row.target}"
    if row.weights != asked.weights:
        source += f" with {row.weights}"
    return KnownAccuracy(figure.name, percent, low, high, True, source)
