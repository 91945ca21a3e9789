from pathlib import Path
from typing import Any

import pytest

from mobilebench.reports.plots.roofline_plot import draw_rooflines
from mobilebench.reports.records.record import KernelTime
from mobilebench.reports.records.store import Store
from mobilebench.reports.tables.kernels_table import cells, family_tables, gather_kernels

KERNELS = [
    KernelTime("stem 8x8x16 over 3x3x3", 1, 1000, 4000, 30.0),
    KernelTime("pointwise 8x8x16 over 16", 2, 4000, 1000, 60.0),
    KernelTime("pointwise 4x4x16 over 16", 1, 2000, 1000, 10.0),
]


def add(store: Store, make_record: Any, **others: Any) -> Any:
    record = make_record(peak_macs_per_s=1e9, read_bytes_per_s=1e9, **others)
    store.add(record, kernels=KERNELS)
    return record


def test_kernels_come_back_as_they_were(store: Store, make_record: Any) -> None:
    record = add(store, make_record)
    other = make_record(threads=2)
    store.add(other)
    assert store.kernels(record) == KERNELS
    assert store.kernels(other) == []


def test_a_kernel_has_a_share_of_its_own_cell_and_a_floor(store: Store, make_record: Any) -> None:
    record = add(store, make_record)
    add(store, make_record, threads=2)
    frame = gather_kernels(store, [record.run_id])
    assert len(frame) == 6
    alone = frame[frame["threads"] == 1]
    assert alone["share"].tolist() == [0.3, 0.6, 0.1]
    # Reading 4000 bytes; multiplying 4000 times, twice; multiplying 2000 times.
    assert alone["floor_us"].tolist() == pytest.approx([4.0, 8.0, 2.0])


def test_kernels_of_two_checkpoints_are_separate(store: Store, make_record: Any) -> None:
    for name in ("a.pth", "b.pth"):
        add(store, make_record, weights=name)
    frame = gather_kernels(store, [make_record().run_id])
    names = ["mobilenet_v2_1.0_224 (a.pth)", "mobilenet_v2_1.0_224 (b.pth)"]
    assert frame["variant"].unique().tolist() == names
    assert len(frame) == 6


def test_families_add_up(store: Store, make_record: Any) -> None:
    record = add(store, make_record)
    (table,) = family_tables(gather_kernels(store, [record.run_id]))
    assert table.headers[3:] == ("stem, %", "pointwise, %")
    # 1000 + 2 * 4000 + 2000 multiply-adds at 1e9 a second are 11 of 100 microseconds.
    assert table.rows == (("mobilenet_v2_1.0_224", "100", "11", "30.0", "70.0"),)


def test_emulated_kernels_are_under_no_roof(store: Store, make_record: Any, tmp_path: Path) -> None:
    add(store, make_record)
    add(store, make_record, target="board", emulated=True)
    frame = gather_kernels(store, [make_record().run_id])
    plots = draw_rooflines(frame, tmp_path)
    assert [plot.file_name for plot in plots] == ["roofline-0.png"]
    assert (tmp_path / "roofline-0.png").stat().st_size > 5000
    assert "3 kernels" in plots[0].alt


def test_without_kernels_there_is_nothing(store: Store, make_record: Any, tmp_path: Path) -> None:
    store.add(make_record())
    frame = gather_kernels(store, [make_record().run_id])
    assert frame.empty
    assert family_tables(frame) == []
    assert draw_rooflines(frame, tmp_path) == []


def test_kernels_stay_in_network_order_and_are_numbered_in_it(
    store: Store, make_record: Any
) -> None:
    big = add(store, make_record)
    add(store, make_record, variant="mobilenet_v2_0.35_96")
    order = [kernel.name for kernel in KERNELS]
    found = list(cells(gather_kernels(store, [big.run_id])))
    assert [variant for _, variant, _ in found] == ["mobilenet_v2_0.35_96", big.variant]
    for _, _, rows in found:
        assert rows["kernel_name"].tolist() == order
        assert rows["number"].tolist() == [1, 2, 3]


def test_a_kernel_is_bound_by_arithmetic_or_memory(store: Store, make_record: Any) -> None:
    record = make_record(peak_macs_per_s=1e9, read_bytes_per_s=1e9)
    store.add(record, kernels=[*KERNELS, KernelTime("other reshape", 1, 0, 500, 2.0)])
    frame = gather_kernels(store, [record.run_id])
    assert frame["bound"].tolist() == ["memory", "arithmetic", "arithmetic", "memory"]
    assert frame["macs_per_byte"].tolist()[:3] == [0.25, 4.0, 2.0]
    # 2 calls of 4000 in 60 microseconds.
    assert frame["macs_per_s"][1] == pytest.approx(8000 / 60e-6)
    assert frame[["macs_per_byte", "macs_per_s"]].iloc[3].isna().all()
    assert frame["floor_us"][3] == pytest.approx(0.5)


def test_a_family_that_a_variant_lacks_is_a_dash(store: Store, make_record: Any) -> None:
    record = add(store, make_record)
    other = make_record("mobilenet_v2_0.35_96", peak_macs_per_s=1e9, read_bytes_per_s=1e9)
    store.add(other, kernels=[*KERNELS[:1], KernelTime("resize 8x8", 1, 0, 500, 30.0)])
    (table,) = family_tables(gather_kernels(store, [record.run_id]))
    assert dict(zip(table.headers, table.rows[1], strict=True))["resize, %"] == "-"


def test_kernels_that_multiply_nothing_are_under_no_roof(
    store: Store, make_record: Any, tmp_path: Path
) -> None:
    record = make_record(peak_macs_per_s=1e9, read_bytes_per_s=1e9)
    store.add(record, kernels=[KernelTime("concat 8x8", 1, 0, 500, 2.0)])
    assert draw_rooflines(gather_kernels(store, [record.run_id]), tmp_path) == []
