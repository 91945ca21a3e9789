from dataclasses import replace
from typing import Any

import pytest

from mobilebench.reports.records.record import KernelTime
from mobilebench.reports.records.store import Store
from mobilebench.reports.tables.kernels_table import gather_kernels
from mobilebench.reports.tables.operators_table import microseconds, operators_table, sum_of

KERNELS = [
    KernelTime("stem 8x8x16 over 3x3x3 #0123456789abcdef", 1, 2_000_000, 4_000_000, 3000.0),
    KernelTime("pointwise 8x8x16 over 16 #fedcba9876543210", 2, 4_000_000, 1_000_000, 16000.0),
    KernelTime("other fused_split_concatenate", 1, 0, 500_000, 1000.0),
]


def rows_of(store: Store, make_record: Any, **others: Any) -> Any:
    record = make_record(peak_macs_per_s=1e9, read_bytes_per_s=1e9, **others)
    store.add(record, kernels=KERNELS)
    return gather_kernels(store, [record.run_id])


def test_each_kernel_has_its_work_time_and_place_under_the_roofline(
    store: Store, make_record: Any
) -> None:
    table = operators_table("net", rows_of(store, make_record))
    first, second, _, total = (dict(zip(table.headers, row, strict=True)) for row in table.rows)
    assert [row[1] for row in table.rows] == [
        "stem 8x8x16 over 3x3x3",
        "pointwise 8x8x16 over 16",
        "other fused_split_concatenate",
        "all kernels",
    ]
    assert float(first["MMAC"]) == 2 and float(first["kB"]) == 4000
    # Reading 4 MB at 1e9 bytes a second takes 4000 of 3000 microseconds: it came from a cache.
    assert first["bound by"] == "memory" and float(first["of roof, %"]) == pytest.approx(
        133.3, 0.01
    )
    # Two calls: 8 million multiply-accumulates in 16 ms, 8 ms at best.
    assert second["calls"] == "2" and float(second["MMAC"]) == 8 and float(second["kB"]) == 2000
    assert float(second["MAC/byte"]) == 4 and float(second["GMAC/s"]) == pytest.approx(0.5)
    assert second["bound by"] == "arithmetic" and float(second["of roof, %"]) == 50
    assert second["share, %"] == "80.0"
    assert (total["calls"], total["share, %"], float(total["MMAC"])) == ("4", "100.0", 10)


def test_instructions_of_kernels_are_shown_where_they_were_counted(
    store: Store, make_record: Any
) -> None:
    assert "M instructions" not in operators_table("net", rows_of(store, make_record)).headers
    counted = [
        replace(kernel, instructions=number * 2_500_000) for number, kernel in enumerate(KERNELS)
    ]
    record = make_record(run_id="counted", peak_macs_per_s=1e9, read_bytes_per_s=1e9)
    store.add(record, kernels=counted)
    assert store.kernels(record) == counted
    table = operators_table("net", gather_kernels(store, [record.run_id]))
    place = table.headers.index("M instructions")
    assert [row[place] for row in table.rows] == ["0.00", "2.50", "5.00", "7.50"]


def test_a_kernel_that_no_template_knows_has_its_bytes_and_dashes(
    store: Store, make_record: Any
) -> None:
    table = operators_table("net", rows_of(store, make_record))
    other = dict(zip(table.headers, table.rows[2], strict=True))
    assert float(other["kB"]) == 500
    assert (other["MMAC"], other["MAC/byte"], other["GMAC/s"]) == ("-", "-", "-")
    assert other["bound by"] == "memory" and float(other["of roof, %"]) == 50


def test_a_kernel_too_short_for_the_clock_breaks_nothing(store: Store, make_record: Any) -> None:
    record = make_record(peak_macs_per_s=1e9, read_bytes_per_s=1e9)
    store.add(record, kernels=[KERNELS[0], KernelTime("pooling 1", 1, 100, 100, 0.0)])
    table = operators_table("net", gather_kernels(store, [record.run_id]))
    pooling = dict(zip(table.headers, table.rows[1], strict=True))
    assert (pooling["GMAC/s"], pooling["of roof, %"]) == ("-", "-")


def test_the_sum_stands_beside_the_whole_network(store: Store, make_record: Any) -> None:
    found = sum_of(rows_of(store, make_record, latency_ms=25.0))
    assert found.kernels_us == 20_000 and found.network_us == 25_000
    assert found.difference_percent == pytest.approx(-20)
    assert "The sum is 20.0 % less." in found.sentence
    assert "a clock was read after each of 3 kernels" in found.sentence


def test_on_an_accelerator_gaps_are_shown_per_call(store: Store, make_record: Any) -> None:
    found = sum_of(rows_of(store, make_record, latency_ms=25.0, accelerator="Imaginary GPU"))
    assert "gaps between them too: 1250 µs for each of 4 calls" in found.sentence


def test_a_sum_longer_than_the_whole_leaves_no_gaps(store: Store, make_record: Any) -> None:
    found = sum_of(rows_of(store, make_record, latency_ms=19.0, accelerator="Imaginary GPU"))
    assert "The sum is 5.3 % more." in found.sentence
    assert found.sentence.endswith("a device that has changed shows too, as here.")
    assert "for each of" not in found.sentence


def test_a_network_that_was_never_timed_is_compared_with_nothing(
    store: Store, make_record: Any
) -> None:
    found = sum_of(rows_of(store, make_record, latency_ms=None))
    assert found.difference_percent is None
    assert found.sentence == "All kernels together take 20000 µs; the whole network was not timed."


@pytest.mark.parametrize(
    ("value", "text"), [(16942.4, "16942 µs"), (412.84, "412.8 µs"), (0.7512, "0.7512 µs")]
)
def test_microseconds_are_written_out(value: float, text: str) -> None:
    assert microseconds(value) == text
