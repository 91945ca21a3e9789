"""A store to choose from, filled row by row."""

from collections.abc import Callable
from typing import Any

import pytest

from mobilebench.reports.choice.budgets import Budgets
from mobilebench.reports.choice.candidates import TargetRows, Wanted, read_target
from mobilebench.reports.choice.choose import Choice, choose
from mobilebench.reports.records.record import Record
from mobilebench.reports.records.store import Run, Store


class Shelf:
    """A store with rows of one target, and the answers that it gives."""

    def __init__(self, store: Store, make_record: Callable[..., Record]) -> None:
        self.store = store
        self._make_record = make_record
        self._runs = 0

    def new_run(self) -> str:
        """Begin a run that is later than all before."""
        self._runs += 1
        run = Run(f"20270101-00000{self._runs}-aaaa", f"2027-01-01T00:00:0{self._runs}+00:00", {})
        self.store.begin_run(run)
        return run.run_id

    def add(self, variant: str, latency_ms: float | None = 3.0, **others: Any) -> Record:
        """Write a row, of the first run unless another is named."""
        record = self._make_record(f"mobilenet_v2_{variant}", latency_ms=latency_ms, **others)
        self.store.add(record)
        return record

    def rows(self, **wanted: Any) -> TargetRows:
        return read_target(
            self.store, Wanted(**({"target": "native", "task": "classify"} | wanted))
        )

    def choose(self, wanted: dict[str, Any] | None = None, **budgets: float) -> Choice:
        return choose(self.rows(**(wanted or {})), Budgets(**budgets))

    def chosen(self, wanted: dict[str, Any] | None = None, **budgets: float) -> str:
        """Return the choice's variant without what all names begin with, precision and runtime."""
        chosen = self.choose(wanted, **budgets).chosen
        assert chosen
        cell = chosen.cell
        name = cell.variant.removeprefix("mobilenet_v2_")
        return f"{name} {cell.precision} {cell.runtime} {cell.threads}"


@pytest.fixture
def shelf(store: Store, make_record: Any) -> Shelf:
    return Shelf(store, make_record)
