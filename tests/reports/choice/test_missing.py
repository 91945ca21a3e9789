"""What was never measured and could change the answer."""

from typing import Any

from mobilebench.reports.choice.budgets import Budgets
from mobilebench.reports.choice.candidates import Wanted, read_target
from mobilebench.reports.choice.choose import choose
from mobilebench.reports.choice.missing import Missing, find_missing
from tests.reports.choice.conftest import Shelf

BETTER_THAN_1_0 = {"1.4_224", "1.3_224", "1.1_224_d1.2", "1.2_224_d1.4"}


def missing_of(
    shelf: Shelf, precisions: tuple[str, ...] = ("float32",), task: str = "classify", **limits: Any
) -> tuple[Missing, ...]:
    wanted = Wanted("native", task, **limits.pop("wanted", {}))
    rows = read_target(shelf.store, wanted)
    return find_missing(rows, choose(rows, Budgets(**limits)), wanted, precisions)


def short(missing: Missing) -> set[str]:
    return {name.removeprefix("mobilenet_v2_") for name in missing.variants}


def test_only_networks_that_were_published_as_more_accurate_are_missing(shelf: Shelf) -> None:
    shelf.add("1.0_224", 9.0, threads=2)
    (missing,) = missing_of(shelf)
    assert short(missing) == BETTER_THAN_1_0
    assert missing.threads == (2,)
    assert missing.reason.startswith("4 published networks never measured on native, more accurate")
    shelf.add("1.4_224", 20.0)
    (missing,) = missing_of(shelf, latency_ms=10.0)
    assert short(missing) == BETTER_THAN_1_0 - {"1.4_224"}


def test_where_nothing_is_within_all_that_are_accurate_enough_are_missing(shelf: Shelf) -> None:
    (missing,) = missing_of(shelf, accuracy_percent=74.5)
    assert short(missing) == {"1.4_224", "1.1_224_d1.2", "1.2_224_d1.4"}
    (missing,) = missing_of(shelf, task="segment")
    assert len(missing.variants) == 2


def test_each_precision_is_missing_by_itself(shelf: Shelf) -> None:
    shelf.add("1.4_224", 20.0)
    shelf.add("1.2_224_d1.4", 25.0)
    shelf.add("1.1_224_d1.2", 25.0)
    (missing,) = missing_of(shelf, ("float32", "int8"), latency_ms=22.0)
    assert missing.precision == "int8"
    assert "at int8" in missing.reason


def test_what_failed_is_missing_unless_it_was_wrong(shelf: Shelf) -> None:
    shelf.add("1.0_224", 9.0)
    shelf.add("1.4_224", None, runtime="ncnn", status="crashed", weights="w.pth")
    shelf.add("1.3_224", None, status="wrong")
    shelf.add("0.35_96", None, status="crashed")  # would not win
    _, failed = missing_of(shelf)
    assert failed.variants == ("mobilenet_v2_1.4_224",)
    assert (failed.runtimes, failed.weights) == (("ncnn",), ("w.pth",))
    assert failed.reason == "1 network failed when last measured at float32"


def test_figures_that_are_not_known_are_missing(shelf: Shelf) -> None:
    shelf.add("1.2_224_d1.4", 9.0)
    shelf.add("0.9_224", 9.0)
    shelf.add("0.8_224", 90.0)  # too slow, however accurate
    shelf.add("0.5_224", 5.0, runtime="ncnn", peak_rss_bytes=None)
    accuracy, memory = missing_of(shelf, latency_ms=10.0, memory_bytes=1e9)
    assert (accuracy.variants, accuracy.data) == (("mobilenet_v2_0.9_224",), True)
    assert (memory.variants, memory.data) == (("mobilenet_v2_0.5_224",), False)


def test_an_accuracy_below_float32_that_was_never_measured_is_missing(shelf: Shelf) -> None:
    shelf.add("1.2_224_d1.4", 9.0, precision="int8")
    (missing,) = missing_of(shelf, ("int8",))
    assert missing.data
    assert "is not known, only that at float32" in missing.reason


def test_nothing_is_missing_where_the_best_of_all_was_chosen(shelf: Shelf) -> None:
    shelf.add("1.2_224_d1.4", 9.0)
    assert missing_of(shelf) == ()
