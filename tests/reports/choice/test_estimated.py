"""Candidates that were never measured, from a store whose kernels were timed."""

from typing import Any

import pytest

from mobilebench.bench.models.kernel_layers import outlines_of
from mobilebench.reports.choice.budgets import Budgets
from mobilebench.reports.choice.candidates import TargetRows, Wanted, read_target
from mobilebench.reports.choice.choose import choose
from mobilebench.reports.choice.estimated import Basis, find_bases, with_estimates
from mobilebench.reports.choice.missing import find_missing
from mobilebench.reports.choice.wording import answer_table, remarks, sentence, to_data
from mobilebench.reports.published.figures import published_accuracies
from mobilebench.reports.records.newest import newest_with_kernels
from tests.reports.choice.conftest import Shelf
from tests.reports.choice.test_estimate import NAMES, kernels_of, known_us, measure, outline

OUTLINES = outlines_of(published_accuracies())
LEFT_OUT = "mobilenet_v2_1.0_192"
WANTED = Wanted("native", "classify")


def fill(shelf: Shelf, names: list[str], **others: Any) -> None:
    for one in measure(names):
        record = shelf._make_record(
            one.outline.variant,
            latency_ms=one.latency_ms,
            **({"params_bytes": one.params_bytes, "arena_bytes": one.arena_bytes} | others),
        )
        shelf.store.add(record, kernels=kernels_of(one.outline, known_us))


def estimated(shelf: Shelf, wanted: Wanted = WANTED) -> tuple[TargetRows, list[Basis]]:
    rows = read_target(shelf.store, wanted)
    bases = find_bases(shelf.store, wanted, rows, OUTLINES)
    return with_estimates(rows, bases, OUTLINES), bases


def test_what_was_never_measured_is_estimated_and_marked(shelf: Shelf) -> None:
    fill(shelf, [name for name in NAMES if name != LEFT_OUT])
    rows, (basis,) = estimated(shelf)
    assert basis.errors.networks == 21
    known = {one.cell.variant: one for one in rows.candidates}
    assert {name for name, one in known.items() if one.estimated} == set(OUTLINES) - set(NAMES) | {
        LEFT_OUT
    }
    (truth,) = measure([LEFT_OUT])
    one = known[LEFT_OUT]
    assert one.latency_ms == pytest.approx(truth.latency_ms, rel=0.02)
    assert one.memory_bytes == pytest.approx(truth.memory_bytes, rel=0.02)
    assert (one.cell.runtime, one.cell.precision, one.cell.threads) == ("tvm", "float32", 1)
    assert "from the kernels of 21 measured networks" in one.estimated
    assert "% (median)" in one.estimated


def test_a_choice_that_is_an_estimate_says_so_everywhere(shelf: Shelf) -> None:
    fill(shelf, [name for name in NAMES if name not in (LEFT_OUT, "mobilenet_v2_1.0_224")])
    rows, _ = estimated(shelf)
    (truth,) = measure([LEFT_OUT])
    choice = choose(rows, Budgets(latency_ms=1.05 * truth.latency_ms))
    chosen = choice.chosen
    assert chosen
    assert chosen.cell.variant == LEFT_OUT
    assert "ms (estimated)" in sentence(chosen)
    assert any("was not measured: it is estimated from" in one for one in remarks(choice, rows))
    table = answer_table(choice)
    assert table.rows[0][6].startswith("~")
    assert "~: estimated" in table.caption
    assert to_data(choice, rows)["choice"]["estimated"] == chosen.estimated
    first = find_missing(rows, choice, WANTED, ("float32",))[0]
    assert (first.reason, first.variants) == ("the choice is an estimate", (LEFT_OUT,))


def test_estimates_beside_a_measured_choice_are_explained(shelf: Shelf) -> None:
    fill(shelf, NAMES)
    rows, _ = estimated(shelf)
    choice = choose(rows, Budgets(latency_ms=measure(["mobilenet_v2_0.5_96"])[0].latency_ms))
    assert choice.chosen
    assert not choice.chosen.estimated
    (explained,) = (one for one in remarks(choice, rows) if one.startswith("Estimates are made"))
    assert explained.endswith("% (90th percentile).")


def test_each_precision_and_thread_count_is_a_basis_of_its_own(shelf: Shelf) -> None:
    fill(shelf, NAMES[:8])
    fill(shelf, NAMES[2:8], threads=2)
    fill(shelf, NAMES[:3], precision="int8")  # too few
    rows, bases = estimated(shelf)
    settings = [(one.setting.precision, one.setting.threads) for one in bases]
    assert sorted(settings) == [("float32", 1), ("float32", 2)]
    made = [one.cell for one in rows.candidates if one.estimated]
    assert {cell.precision for cell in made} == {"float32"}
    assert NAMES[0] in {cell.variant for cell in made if cell.threads == 2}
    assert NAMES[0] not in {cell.variant for cell in made if cell.threads == 1}


def test_what_failed_is_not_estimated(shelf: Shelf) -> None:
    fill(shelf, [name for name in NAMES if name != LEFT_OUT])
    shelf.add(LEFT_OUT.removeprefix("mobilenet_v2_"), None, status="wrong")
    rows, _ = estimated(shelf)
    assert LEFT_OUT not in {one.cell.variant for one in rows.candidates}


def test_kernels_of_an_older_row_count_where_the_newest_has_none(shelf: Shelf) -> None:
    fill(shelf, NAMES)
    later = shelf.new_run()
    shelf.add("1.0_224", 3.0, run_id=later)
    found = {
        row.variant: row.run_id for _, row in newest_with_kernels(shelf.store.database, "native")
    }
    assert len(found) == 22
    assert found["mobilenet_v2_1.0_224"] != later
    assert estimated(shelf)[1][0].errors.networks == 22


def test_kernels_of_other_devices_lend_nothing(shelf: Shelf) -> None:
    fill(shelf, NAMES, device="fake", emulated=True)
    shelf.add("1.0_224", 3.0, run_id=shelf.new_run())
    rows = read_target(shelf.store, Wanted("native", "classify", device="workbench"))
    assert find_bases(shelf.store, WANTED, rows, OUTLINES) == []


def test_kernels_that_are_named_otherwise_are_no_basis(shelf: Shelf) -> None:
    for name in NAMES[:6]:
        record = shelf._make_record(name)
        kernels = kernels_of(outline(name), known_us)[1:]  # without a stem
        shelf.store.add(record, kernels=kernels)
    assert estimated(shelf)[1] == []
