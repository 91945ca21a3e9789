"""The most accurate network within budgets: a store with a known answer."""

from typing import Any

import pytest

from mobilebench.reports.errors import ReportError
from tests.reports.choice.conftest import Shelf

TRAINED: dict[str, Any] = {"weights": "net.pth", "images": 500, "data": "val"}


def test_without_budgets_the_most_accurate_is_chosen(shelf: Shelf) -> None:
    shelf.add("1.0_224", 9.0)  # published: 71.8
    shelf.add("1.4_224", 20.0)  # 75.0
    shelf.add("0.35_96", 1.0)  # 45.5
    assert shelf.chosen() == "1.4_224 float32 tvm 1"


def test_each_budget_counts_and_its_limit_is_within(shelf: Shelf) -> None:
    shelf.add("1.4_224", 20.0, params_bytes=24_000_000, arena_bytes=6_000_000)
    shelf.add("1.0_224", 9.0, params_bytes=14_000_000, arena_bytes=4_000_000)
    shelf.add("0.35_96", 1.0, params_bytes=6_000_000, arena_bytes=1_000_000)
    assert shelf.chosen(latency_ms=20.0) == "1.4_224 float32 tvm 1"
    assert shelf.chosen(latency_ms=19.99) == "1.0_224 float32 tvm 1"
    assert shelf.chosen(memory_bytes=18e6) == "1.0_224 float32 tvm 1"
    assert shelf.chosen(memory_bytes=18e6 - 1) == "0.35_96 float32 tvm 1"
    assert shelf.chosen(accuracy_percent=75.0) == "1.4_224 float32 tvm 1"
    assert shelf.choose(accuracy_percent=75.1).chosen is None
    assert shelf.choose(latency_ms=9.0, accuracy_percent=72.0).chosen is None


def test_of_equally_accurate_ones_the_fastest_is_chosen_then_the_smallest(shelf: Shelf) -> None:
    shelf.add("1.0_224", 9.0)
    shelf.add("1.0_224", 8.0, runtime="ncnn", base_rss_bytes=100_000_000)
    shelf.add("1.0_224", 8.0, runtime="torch", base_rss_bytes=120_000_000)
    shelf.add("1.0_224", 8.0, runtime="openvino", threads=2, base_rss_bytes=120_000_000)
    order = [one.cell.runtime for one in shelf.choose().within]
    assert order == ["torch", "openvino", "ncnn", "tvm"]


def test_the_order_of_rows_does_not_change_the_answer(shelf: Shelf) -> None:
    alike = {"params_bytes": 1, "arena_bytes": 1}
    for runtime in ("torch", "ncnn", "tvm"):
        shelf.add("1.0_224", 8.0, runtime=runtime, **alike)
    first = shelf.choose().within
    later = shelf.new_run()
    for runtime in ("tvm", "torch", "ncnn"):
        shelf.add("1.0_224", 8.0, runtime=runtime, run_id=later, **alike)
    assert [one.cell for one in shelf.choose().within] == [one.cell for one in first]


def test_the_newest_row_of_a_cell_counts(shelf: Shelf) -> None:
    shelf.add("1.4_224", 20.0)
    shelf.add("1.0_224", 9.0)
    shelf.add("1.4_224", 8.0, run_id=shelf.new_run())
    assert shelf.chosen(latency_ms=10.0) == "1.4_224 float32 tvm 1"
    shelf.add("1.4_224", 30.0, run_id=shelf.new_run())
    assert shelf.chosen(latency_ms=10.0) == "1.0_224 float32 tvm 1"


@pytest.mark.parametrize("status", ["wrong", "crashed", "timed_out", "load_failed"])
def test_a_cell_that_failed_last_is_not_chosen_however_good_it_was(
    shelf: Shelf, status: str
) -> None:
    shelf.add("1.4_224", 8.0)
    shelf.add("1.0_224", 9.0)
    failed = shelf.add(
        "1.4_224", None, run_id=shelf.new_run(), status=status, error="it did not work"
    )
    assert shelf.chosen() == "1.0_224 float32 tvm 1"
    (told,) = shelf.rows().not_counted
    assert (told.cell.variant, told.status, told.error) == (
        failed.variant, status, "it did not work",
    )  # fmt: skip


def test_a_latency_of_a_wrong_row_never_counts(shelf: Shelf) -> None:
    shelf.add("1.4_224", 1.0, status="wrong")
    shelf.add("1.0_224", 9.0)
    assert shelf.chosen() == "1.0_224 float32 tvm 1"


def test_what_a_runtime_has_not_is_no_failure(shelf: Shelf) -> None:
    shelf.add("1.0_224", 9.0)
    shelf.add("1.0_224", None, runtime="ncnn", precision="int8", status="unsupported")
    assert shelf.rows().not_counted == ()


def test_a_board_that_was_not_free_leaves_earlier_rows_as_they_are(shelf: Shelf) -> None:
    shelf.add("1.0_224", 9.0, device="board 1")
    later = shelf.new_run()
    shelf.add("1.0_224", None, run_id=later, device="any pi4", status="no_device")
    assert shelf.chosen() == "1.0_224 float32 tvm 1"


def test_of_like_devices_the_slowest_counts(shelf: Shelf) -> None:
    shelf.add("1.0_224", 9.0, device="board 1")
    shelf.add("1.0_224", 11.0, device="board 2", run_id=shelf.new_run())
    shelf.add("1.0_224", 10.0, device="board 1", run_id=shelf.new_run())
    (one,) = shelf.choose().within
    assert (one.latency_ms, one.cell.device) == (11.0, "board 2")
    assert shelf.rows().devices == ("board 2", "board 1")
    assert shelf.choose({"device": "board 1"}).within[0].latency_ms == 10.0


def test_emulated_and_real_devices_are_never_mixed(shelf: Shelf) -> None:
    shelf.add("1.0_224", 9.0, device="board 1")
    shelf.add("1.4_224", 5.0, device="fake", emulated=True)
    with pytest.raises(ReportError, match=r"emulated and real devices.*fake: emulated.*--device"):
        shelf.choose()
    assert shelf.chosen({"device": "board 1"}) == "1.0_224 float32 tvm 1"
    assert shelf.rows(device="fake").emulated
    assert not shelf.rows(device="board 1").emulated


def test_one_device_that_was_emulated_and_real_is_not_mixed_either(shelf: Shelf) -> None:
    shelf.add("1.0_224", 9.0)
    shelf.add("1.0_224", 5.0, emulated=True, run_id=shelf.new_run())
    with pytest.raises(ReportError, match="emulated and real devices"):
        shelf.choose()


def test_machines_with_other_cpus_are_not_mixed(shelf: Shelf) -> None:
    shelf.add("1.0_224", 9.0, device="desk", cpu_model="Fast")
    shelf.add("1.4_224", 9.0, device="lap", cpu_model="Slow")
    with pytest.raises(ReportError, match=r"unlike devices.*desk: Fast; lap: Slow"):
        shelf.choose()
    assert shelf.chosen({"device": "lap"}) == "1.4_224 float32 tvm 1"
    with pytest.raises(ReportError, match=r"'shelf'.*give one of desk, lap"):
        shelf.choose({"device": "shelf"})


def test_rows_of_another_target_do_not_count(shelf: Shelf) -> None:
    shelf.add("1.0_224", 9.0)
    shelf.add("1.4_224", 1.0, target="raspberry-pi-5", device="a pi", cpu_model="Other")
    assert shelf.chosen() == "1.0_224 float32 tvm 1"


def test_networks_of_different_tasks_are_not_compared(shelf: Shelf) -> None:
    shelf.add("1.0_224", 9.0)
    record = shelf.add("0.35_96", 1.0)
    for name in ("ssdlite_mobilenet_v2_1.0_320", "deeplabv3_mobilenet_v2_1.0_513"):
        shelf.store.add(shelf._make_record(name, run_id=record.run_id))
    assert len(shelf.choose().within) == 2
    (detector,) = shelf.choose({"task": "detect"}).within
    assert detector.accuracy
    assert (detector.accuracy.metric, detector.accuracy.percent) == ("mAP", 22.1)
    (segmenter,) = shelf.choose({"task": "segment"}).within
    assert segmenter.accuracy
    assert (segmenter.accuracy.metric, segmenter.accuracy.percent) == ("mIoU", 75.7)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"precisions": ("int8",)}, "1.4_224 int8 tvm 1"),
        ({"runtimes": ("ncnn", "torch")}, "1.0_224 float32 ncnn 2"),
        ({"threads": (2,)}, "1.0_224 float32 ncnn 2"),
        ({"threads": (1, 2)}, "1.4_224 int8 tvm 1"),
    ],
)
def test_only_what_is_asked_for_may_be_chosen(
    shelf: Shelf, wanted: dict[str, Any], expected: str
) -> None:
    shelf.add("1.4_224", 8.0, precision="int8")
    shelf.add("1.0_224", 9.0, runtime="ncnn", threads=2)
    assert shelf.chosen(wanted) == expected


def test_what_misses_the_budgets_comes_nearest_first_with_by_how_much(shelf: Shelf) -> None:
    shelf.add("1.4_224", 20.0)
    shelf.add("1.3_224", 12.0)
    shelf.add("0.35_96", 1.0)
    choice = shelf.choose(latency_ms=10.0, accuracy_percent=70.0)
    assert choice.chosen is None
    nearest, second, third = choice.over
    (slower,) = nearest.excesses
    assert nearest.candidate.cell.variant == "mobilenet_v2_1.3_224"
    assert (slower.quantity, slower.by, slower.share) == ("latency", 2.0, 0.2)
    assert slower.words == "2.00 ms (20 %) slower than the budget"
    assert third.candidate.cell.variant == "mobilenet_v2_1.4_224"
    (below,) = second.excesses
    assert below.words == "top-1 24.5 points below the least"


def test_a_figure_that_is_not_known_meets_no_budget(shelf: Shelf) -> None:
    shelf.add("1.0_224", 9.0, runtime="ncnn", peak_rss_bytes=None)
    assert shelf.chosen() == "1.0_224 float32 ncnn 1"
    (over,) = shelf.choose(memory_bytes=1e12).over
    assert over.excesses[0].words == "its memory is not known"
    assert over.distance == float("inf")


def test_a_network_of_unknown_accuracy_is_never_chosen_but_named(shelf: Shelf) -> None:
    shelf.add("0.9_224", 1.0)  # never published
    choice = shelf.choose()
    assert choice.chosen is None
    assert [one.cell.variant for one in choice.unknown] == ["mobilenet_v2_0.9_224"]
    assert shelf.choose(accuracy_percent=1.0).unknown == ()


def test_a_store_without_rows_of_the_target_has_nothing(shelf: Shelf) -> None:
    choice = shelf.choose()
    assert (choice.chosen, choice.nearest, choice.unknown) == (None, None, ())


def test_memory_is_planned_or_else_by_how_much_the_process_grew(shelf: Shelf) -> None:
    shelf.add("1.0_224", 9.0, params_bytes=14_000_000, arena_bytes=4_000_000)
    shelf.add("1.0_224", 8.0, runtime="ncnn", base_rss_bytes=190_000_000)
    ncnn, tvm = shelf.choose().within
    assert (ncnn.memory_bytes, ncnn.memory_planned) == (10_000_000, False)
    assert (tvm.memory_bytes, tvm.memory_planned) == (18_000_000, True)
