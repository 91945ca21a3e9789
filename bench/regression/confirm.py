"""Measures what seems to have changed between two runs again, before anyone acts upon it."""

from collections.abc import Callable

from mobilebench.bench.measure.run_context import RunContext
from mobilebench.bench.regression.remeasure import remeasure_in
from mobilebench.bench.runtimes.runtime import TVM
from mobilebench.reports.comparison.comparison import CHANGED, CellChange, Comparison
from mobilebench.reports.history.finding import title_of
from mobilebench.reports.history.suspects import Library, LibraryPair
from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.records.store import Store
from mobilebench.targets.errors import BenchError

Say = Callable[[str], None]


def suspects(comparison: Comparison) -> list[CellChange]:
    """Return the cells whose latency may have changed, by the rows of the runs alone.

    That is all whose rows do not show that it is the same: where the machine was slower in one of
    them, or other programs ran, the rows tell little.
    """
    return [change for change in comparison.cells if is_suspect(change)]


def seems_changed(change: CellChange) -> bool:
    """Return whether the samples of a cell differ, whatever the reason."""
    latency = change.latency
    return latency is not None and (latency.verdict in CHANGED or bool(latency.why_unclear))


def is_suspect(change: CellChange) -> bool:
    """Return whether the rows of a cell leave open that its latency has changed."""
    latency = change.latency
    return latency is not None and not latency.confirmed and latency.verdict != "same"


def confirm_changes(context: RunContext, store: Store, comparison: Comparison, say: Say) -> None:
    """Measure both libraries of every cell whose latency seems to have changed, in turns.

    The store keeps the results, by which the runs are compared from then on. `context` is that of
    HEAD. What cannot be measured is said, with the reason, and stays as it is.
    """
    keys = {
        (record.run_id, CellKey.of(record)): record.artifact_key
        for record in store.records([comparison.base.run_id, comparison.head.run_id])
    }
    for change in suspects(comparison):
        base, head = (
            Library(side.run_id, keys.get((side.run_id, change.cell), ""))
            for side in (comparison.base, comparison.head)
        )
        if base.artifact_key == head.artifact_key != "":
            continue  # nothing but the machine can have changed
        if not head.artifact_key and not seems_changed(change):
            continue  # it is unclear, and stays so
        say(f"{title_of(change.cell)}: measure both libraries in turns")
        try:
            _require_kept(change.cell, base, head)
            store.add_confirmation(remeasure_in(context, LibraryPair(change.cell, (base,), head)))
        except BenchError as error:
            say(f"warning: {title_of(change.cell)}: not measured again: {error}")


def _require_kept(cell: CellKey, *libraries: Library) -> None:
    if not all(one.artifact_key for one in libraries):
        kept = "only TVM's libraries are kept" if cell.runtime != TVM else "it was not kept"
        raise BenchError(kept)
