"""The reference of columns says what the code says."""

from pathlib import Path

import pytest

from mobilebench.reports.records.columns import render_columns, unit_of
from mobilebench.reports.records.record import COLUMNS, STATUSES

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "columns.md"


def test_the_reference_is_as_the_code_has_it() -> None:
    written = PAGE.read_text(encoding="utf-8")
    assert written == render_columns(), "run python -m mobilebench.reports.records.columns"


def test_every_column_and_status_is_in_the_reference_once() -> None:
    page = render_columns()
    assert [page.count(f"| `{column}` |") for column in COLUMNS] == [1] * len(COLUMNS)
    assert all(f"- `{status}`" in page for status in STATUSES)


@pytest.mark.parametrize(
    ("column", "unit"),
    [
        ("latency_p50_ms", "ms"),
        ("peak_macs_per_s", "MACs/s"),
        ("arena_bytes", "bytes"),
        ("compile_s", "s"),
        ("top1_percent", "%"),
        ("temperature_c", "°C"),
        ("os", ""),
        ("variant", ""),
    ],
)
def test_the_unit_of_a_column_is_in_its_name(column: str, unit: str) -> None:
    assert unit_of(column) == unit
