"""What a record says of itself, and the columns that readers of `records.csv` rely on."""

from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest

from mobilebench.reports.records.record import COLUMNS, STATUSES, Record

# Scripts of others read these by name: a column may be added, none may vanish.
RELIED_ON = [
    "run_id",
    "started_at",
    "variant",
    "task",
    "width_multiplier",
    "height",
    "width",
    "precision",
    "target",
    "device",
    "runtime",
    "threads",
    "trials",
    "status",
    "error",
    "latency_p50_ms",
    "latency_p90_ms",
    "latency_p99_ms",
    "latency_mean_ms",
    "latency_ci95_low_ms",
    "latency_ci95_high_ms",
    "latency_cv",
    "samples",
    "macs",
    "params_count",
    "params_bytes",
    "arena_bytes",
    "largest_tensor_bytes",
    "peak_rss_bytes",
    "artifact_bytes",
    "max_abs_error",
    "relative_l2_error",
    "top1_agreement",
    "top1_percent",
    "top5_percent",
    "map_percent",
    "map50_percent",
    "miou_percent",
    "images",
    "to_onnx_s",
    "compile_s",
    "database_hits",
    "database_misses",
]


def test_no_column_that_readers_rely_on_has_vanished() -> None:
    assert [name for name in RELIED_ON if name not in COLUMNS] == []


def test_columns_are_the_fields_in_order_and_begin_with_the_run() -> None:
    assert tuple(field.name for field in fields(Record)) == COLUMNS
    assert COLUMNS[0] == "run_id"
    assert len(set(COLUMNS)) == len(COLUMNS)


def test_a_row_is_ok_or_says_why_not() -> None:
    assert STATUSES[0] == "ok"
    assert {"wrong", "crashed", "timed_out", "compile_failed"} <= set(STATUSES)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("variant", "mobilenet_v2_0.35_96"),
        ("target", "x86-64-v3"),
        ("runtime", "torch"),
        ("threads", 2),
    ],
)
def test_records_of_two_cells_have_two_keys(make_record: Any, field: str, value: object) -> None:
    record = make_record()
    assert replace(record, **{field: value}).key != record.key


@pytest.mark.parametrize(
    ("field", "value"), [("run_id", "another"), ("status", "crashed"), ("latency_p50_ms", 9.0)]
)
def test_the_key_is_what_was_measured_not_what_came_out(
    make_record: Any, field: str, value: object
) -> None:
    record = make_record()
    assert replace(record, **{field: value}).key == record.key


def test_fields_that_a_failed_row_never_reached_are_empty(make_record: Any) -> None:
    record = make_record(status="compile_failed", latency_ms=None, error="the linker failed")
    assert record.latency_p50_ms is None
    assert record.top1_percent is None
    assert (record.samples, record.images) == (0, 0)


def test_a_record_cannot_be_changed(make_record: Any) -> None:
    with pytest.raises(FrozenInstanceError):
        make_record().status = "ok"


def test_a_record_needs_its_identity() -> None:
    with pytest.raises(TypeError, match="run_id"):
        Record(macs=1, params_count=1, largest_tensor_bytes=1)  # type: ignore[call-arg]
