from collections.abc import Callable

import pytest

from mobilebench.reports.pages.rendering import file_names
from mobilebench.reports.pages.wording import names_of, show_ratio, show_value
from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.records.record import Record


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (1.071, "+7.1 %"),
        (0.929, "\N{MINUS SIGN}7.1 %"),
        (2.5, "× 2.50"),
        (0.4, "× 0.40"),
        (float("inf"), "-"),
        (0.0, "-"),
    ],
)
def test_a_ratio_is_a_change(ratio: float, text: str) -> None:
    assert show_ratio(ratio) == text


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("latency_p50_ms", 3.14159, "3.14 ms"),
        ("arena_bytes", 1_769_472, "1.77 MB"),
        ("compile_s", 20, "20.0 s"),
        ("top1_percent", 71.9, "71.9 %"),
        ("arena_bytes", float("nan"), "-"),
    ],
)
def test_a_value_has_its_unit(column: str, value: float, text: str) -> None:
    assert show_value(column, value) == text


def test_a_checkpoint_is_named_where_there_are_several(make_record: Callable[..., Record]) -> None:
    first, second = (CellKey.of(make_record(weights=weights)) for weights in ("a.pth", "b.pth"))
    assert names_of([first]) == {first: first.variant}
    assert names_of([first, second])[second] == f"{first.variant} (b.pth)"


def test_settings_leave_out_where(make_record: Callable[..., Record]) -> None:
    cell = CellKey.of(make_record(threads=2, precision="float16", optimize_for="memory"))
    assert cell.settings == "2 threads, float16, memory preferred"


def test_similar_names_get_different_files() -> None:
    names = ["Pi 4", "pi/4", "../../etc/passwd", "", "é", "x" * 300]
    found = file_names("device", names)
    assert len(set(found)) == len(names)
    assert found[:3] == ["device-pi-4.html", "device-pi-4-2.html", "device-etc-passwd.html"]
    assert all("/" not in name and len(name) < 100 for name in found)
