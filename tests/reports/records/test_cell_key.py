"""What tells cells apart is declared once; the store, matching, timelines and pages follow."""

import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.records.record import COLUMNS

# A new axis is a field of CellKey, and the column of that name in Record: nothing else is told.
NEW_AXIS = """
from dataclasses import make_dataclass
from mobilebench.reports.records import cell_key, record

def extended(cls, **options):
    return make_dataclass(cls.__name__, [("batch", int, 1)], bases=(cls,), frozen=True, **options)

cell_key.CellKey = extended(cell_key.CellKey, order=True)
record.CellKey = cell_key.CellKey
record.Record = extended(record.Record, kw_only=True)
record.COLUMNS += ("batch",)
"""
OF_ONE_RUN = """
import sys
from mobilebench.reports.comparison.matching import match
from mobilebench.reports.errors import ReportError
from mobilebench.reports.history.timeline import read_timeline
from mobilebench.reports.records.confirmation import Confirmation
from mobilebench.reports.records.schema import CONFIRMATIONS, KEY
from mobilebench.reports.records.store import Run, Store
from mobilebench.reports.tables.frames import gather, newest, setups

texts = dict(run_id="r", started_at="2026-01-01", variant="mobilenet_v2_1.0_224", task="classify")
texts |= dict(precision="float32", target="native", device="here", runtime="tvm", weights="w")
texts |= dict(runtime_version="1", optimize_for="latency", effort="quick", status="ok")
numbers = dict(width_multiplier=1.0, expansion_factor=6, height=224, width=224, threads=1, trials=0)
numbers |= dict(macs=1, params_count=1, largest_tensor_bytes=1, emulated=False)
one, eight = (record.Record(**texts, **numbers, batch=batch) for batch in (1, 8))

assert "batch" in KEY and "batch" in CONFIRMATIONS.c
with Store(sys.argv[1]) as store:
    run = Run("r", "2026-01-01", {})
    store.begin_run(run)
    store.add(one)
    store.add(eight)
    try:
        store.add(eight)
    except ReportError:
        pass
    else:
        raise AssertionError("two rows of one cell")
    of_eight = cell_key.CellKey.of(eight)
    store.add_confirmation(Confirmation("r", "before", of_eight, "2026-01-01", [[1.0]], [[1.0]]))
    assert store.confirmations(["r"])[0].cell == of_eight
    assert [cell.batch for cell in read_timeline(store, [run]).cells] == [1, 8]
    frame = newest(gather(store, ["r"]))
    titles = [setup.title for setup, _ in setups(frame)]
assert titles == [f"native on here, 1 thread, batch {batch}" for batch in (1, 8)]
assert not match([(one, [])], [(eight, [])]).pairs
assert match([(eight, [])], [(eight, [])]).pairs
"""


def test_a_new_axis_is_one_field_and_known_everywhere(tmp_path: Path) -> None:
    program = [sys.executable, "-c", NEW_AXIS + OF_ONE_RUN, tmp_path / "store.sqlite"]
    subprocess.run(program, check=True)


def test_every_axis_is_a_column_of_records() -> None:
    assert set(CellKey.names()) <= set(COLUMNS)
    assert CellKey.names() == tuple(axis.name for axis in fields(CellKey))


@pytest.mark.parametrize("axis", CellKey.names())
def test_rows_that_differ_in_an_axis_are_of_two_cells(make_record: Any, axis: str) -> None:
    record = make_record()
    other = replace(record, **{axis: 2 if axis == "threads" else "another"})
    assert CellKey.of(other) != CellKey.of(record)
    assert (other.key == record.key) == (axis == "device")
