"""Verdicts: what two runs must show before one is called worse than the other."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from mobilebench.reports.comparison.compare import adjust, compare_runs, speed_verdict
from mobilebench.reports.comparison.comparison import Comparison
from mobilebench.reports.comparison.ratio import Pair, Ratio, ratios_of
from mobilebench.reports.errors import ReportError
from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.records.confirmation import Confirmation
from mobilebench.reports.records.store import Store
from tests.reports.two_runs import BASE, HEAD, Nights, rounds_ms

MIRRORED = {"slower": "faster", "faster": "slower", "better": "worse", "worse": "better"}


@pytest.fixture
def nights(store: Store, make_record: Any) -> Nights:
    return Nights(store, make_record)


def ratio(middle: float, low: float, high: float) -> Ratio:
    return Ratio(1.0, middle, middle, low, high, mann_whitney_p=0.001, p=0.001)


def variants(comparison: Comparison, verdict: Any) -> list[str]:
    return [change.cell.variant for change in comparison.having(verdict)]


@pytest.mark.parametrize(
    ("found", "p_adjusted", "verdict"),
    [
        (ratio(1.00, 0.98, 1.02), 0.9, "same"),
        (ratio(1.03, 1.02, 1.04), 0.001, "same"),  # sure, and not worth telling
        (ratio(1.10, 1.06, 1.14), 0.001, "slower"),
        (ratio(1.06, 1.01, 1.11), 0.001, "slower"),
        (ratio(1.04, 1.01, 1.07), 0.001, "unclear"),  # may be within the threshold
        (ratio(1.10, 0.99, 1.22), 0.001, "unclear"),
        (ratio(1.10, 1.06, 1.14), 0.06, "unclear"),
        (ratio(1.00, 0.90, 1.10), 0.9, "unclear"),
        (ratio(0.90, 0.87, 0.93), 0.001, "faster"),
        (ratio(0.96, 0.93, 0.98), 0.001, "unclear"),
        (ratio(1.00, 0.00, float("inf")), 1.0, "unclear"),
    ],
)
def test_a_verdict_needs_size_and_certainty(found: Ratio, p_adjusted: float, verdict: str) -> None:
    assert speed_verdict(found, p_adjusted, 5) == verdict
    inverted = ratio(1 / found.ratio, 1 / found.high, 1 / found.low if found.low else float("inf"))
    assert speed_verdict(inverted, p_adjusted, 5) == MIRRORED.get(verdict, verdict)


def test_p_values_are_adjusted_as_scipy_does() -> None:
    p = np.random.default_rng(0).random(50) ** 4
    p[7] = p[9]
    assert adjust(p.tolist()) == pytest.approx(stats.false_discovery_control(p))
    assert adjust([]) == []


@pytest.mark.parametrize("threshold_percent", [5.0, 0.1])
def test_without_a_change_hardly_any_comparison_of_200_finds_one(threshold_percent: float) -> None:
    """Ten cells each, rounds as different as on a real machine; the threshold hides nothing."""
    pairs = [
        Pair(rounds_ms(2 * seed, round_noise=0.02), rounds_ms(2 * seed + 1, round_noise=0.02))
        for seed in range(2000)
    ]
    ratios = np.array(ratios_of(pairs), dtype=object).reshape(200, 10)
    alarms = 0
    for cells in ratios:
        adjusted = adjust([cell.p for cell in cells])
        verdicts = [
            speed_verdict(cell, p, threshold_percent)
            for cell, p in zip(cells, adjusted, strict=True)
        ]
        alarms += "slower" in verdicts or "faster" in verdicts
    assert alarms <= (0 if threshold_percent == 5 else 10)


def test_one_slower_cell_of_many_is_found(nights: Nights) -> None:
    names = [f"mobilenet_v2_1.0_{32 * n}" for n in range(2, 42)]
    for seed, name in enumerate(names):
        nights.add_both(seed=seed, variant=name, times=1.1 if seed == 7 else 1.0)
    comparison = nights.compare()
    assert variants(comparison, "slower") == [names[7]]
    assert comparison.cells[0].cell.variant == names[7]  # worst first
    assert len(comparison.cells) == 40
    latency = comparison.cells[0].latency
    assert latency is not None
    assert latency.low < 1.1 < latency.high
    assert latency.p < latency.p_adjusted < 0.05
    assert not latency.confirmed


def test_swapping_base_and_head_mirrors_every_verdict(nights: Nights) -> None:
    for seed, times in enumerate((0.8, 0.93, 0.97, 1.0, 1.02, 1.06, 1.3)):
        nights.add_both(times, seed, variant=f"mobilenet_v2_1.0_{32 * (seed + 2)}")
    for run, arena in ((BASE, 1000), (HEAD, 2000)):
        nights.add(run, rounds_ms(99), variant="mobilenet_v2_1.0_96x64", arena_bytes=arena)
    there, back = nights.compare(), nights.compare(swapped=True)
    verdicts = {change.cell: change.verdict for change in back.cells}
    assert {change.verdict for change in there.cells} >= {"slower", "faster", "same", "worse"}
    for change in there.cells:
        assert verdicts[change.cell] == MIRRORED.get(change.verdict, change.verdict)


def test_a_new_failure_is_broken_and_a_repaired_cell_is_fixed(nights: Nights) -> None:
    one, two, three = (f"mobilenet_v2_1.0_{size}" for size in (64, 96, 128))
    nights.add(BASE, rounds_ms(1), variant=one)
    nights.add(HEAD, variant=one, error="died of SIGSEGV")
    nights.add(BASE, variant=two)
    nights.add(HEAD, rounds_ms(2), variant=two)
    nights.add(BASE, variant=three)
    nights.add(HEAD, variant=three, status="timed_out")
    comparison = nights.compare()
    for verdict, name in (("broken", one), ("fixed", two), ("failed", three)):
        assert variants(comparison, verdict) == [name]
    (broken,) = comparison.regressions
    assert (broken.base_status, broken.head_status) == ("ok", "crashed")
    assert broken.head_error == "died of SIGSEGV"


@pytest.mark.parametrize(
    ("column", "base", "head", "verdict"),
    [
        ("arena_bytes", 1_000_000, 1_010_000, "same"),
        ("arena_bytes", 1_000_000, 1_020_000, "worse"),
        ("arena_bytes", 1_020_000, 1_000_000, "better"),
        ("peak_rss_bytes", 100_000_000, 109_000_000, "same"),
        ("peak_rss_bytes", 100_000_000, 120_000_000, "worse"),
        ("peak_rss_bytes", 2_000_000, 2_900_000, "same"),  # less than a megabyte
        ("artifact_bytes", 14_000_000, 14_500_000, "worse"),
        ("compile_s", 1.0, 2.9, "same"),
        ("compile_s", 10.0, 14.0, "same"),
        ("compile_s", 10.0, 16.0, "worse"),
        ("compile_s", None, 16.0, "same"),
        ("top1_percent", 71.8, 71.4, "same"),
        ("top1_percent", 71.8, 71.2, "worse"),
        ("top1_percent", 71.2, 71.8, "better"),
        ("map_percent", 22.1, 21.0, "worse"),
        ("miou_percent", 70.7, 75.3, "better"),
    ],
)
def test_every_watched_figure_has_its_own_threshold(
    nights: Nights, column: str, base: float | None, head: float, verdict: str
) -> None:
    for run, value in ((BASE, base), (HEAD, head)):
        nights.add(run, rounds_ms(1), images=5000, data="val", **{column: value})
    change = nights.only()
    assert change.verdict == verdict
    changed = [figure for figure in change.figures if figure.change != "same"]
    assert [(f.column, f.base, f.head) for f in changed] == (
        [] if verdict == "same" else [(column, base, head)]
    )


@pytest.mark.parametrize(
    ("base", "head"),
    [
        ({"images": 50, "data": "few"}, {"images": 50, "data": "few"}),  # one of them is 2 %
        ({"images": 5000, "data": "val"}, {"images": 5000, "data": "train"}),
        ({"images": 5000, "data": "val"}, {"images": 4000, "data": "val"}),
    ],
)
def test_accuracy_of_other_or_few_images_is_not_worse(
    nights: Nights, base: dict[str, Any], head: dict[str, Any]
) -> None:
    nights.add(BASE, rounds_ms(1), top1_percent=72.0, **base)
    nights.add(HEAD, rounds_ms(1), top1_percent=70.5, **head)
    assert nights.only().verdict == "same"


def test_cells_of_only_one_run_are_new_or_gone(nights: Nights) -> None:
    nights.add_both()
    nights.add(BASE, rounds_ms(1), threads=2)
    nights.add(HEAD, rounds_ms(1), threads=4)
    nights.add(HEAD, threads=8)
    comparison = nights.compare()
    assert [lone.cell.threads for lone in comparison.gone] == [2]
    assert [(lone.cell.threads, lone.status) for lone in comparison.new] == [
        (4, "ok"),
        (8, "crashed"),
    ]
    assert comparison.regressions == []


def test_different_devices_are_never_compared(nights: Nights) -> None:
    nights.add_both(target="raspberry-pi-4", device="board-1")
    nights.add(BASE, rounds_ms(1), target="raspberry-pi-5", device="board-2")
    nights.add(HEAD, rounds_ms(1, 2), target="raspberry-pi-5", device="board-3")
    comparison = nights.compare()
    assert [change.cell.device for change in comparison.cells] == ["board-1"]
    assert [lone.cell.device for lone in comparison.gone] == ["board-2"]
    assert [lone.cell.device for lone in comparison.new] == ["board-3"]


def test_a_new_compile_failure_is_broken_on_the_board_that_ran_the_cell(nights: Nights) -> None:
    board: dict[str, Any] = {"target": "raspberry-pi-4", "device": "board-1"}
    unnamed: dict[str, Any] = {"device": "any rpi4"}
    nights.add_both(**board)
    nights.add(BASE, rounds_ms(1), threads=2, **board)
    nights.add(HEAD, threads=2, **(board | unnamed), status="compile_failed")
    nights.add(BASE, threads=4, **(board | unnamed), status="compile_failed")
    nights.add(HEAD, rounds_ms(1), threads=4, **board)
    comparison = nights.compare()
    assert [(c.cell.threads, c.cell.device) for c in comparison.having("broken")] == [
        (2, "board-1")
    ]
    assert [(c.cell.threads, c.cell.device) for c in comparison.having("fixed")] == [(4, "board-1")]
    assert comparison.new == comparison.gone == ()


def test_without_a_board_nothing_is_measured_and_nothing_is_broken(nights: Nights) -> None:
    board: dict[str, Any] = {"target": "raspberry-pi-4", "device": "board-1"}
    unnamed: dict[str, Any] = {"device": "any rpi4"}
    nights.add_both(**board)
    nights.add(BASE, rounds_ms(1), threads=2, **board)
    nights.add(HEAD, threads=2, **(board | unnamed), status="no_device", error="none free")
    comparison = nights.compare()
    (gone,) = comparison.gone
    assert (gone.cell.threads, gone.cell.device, gone.status) == (2, "board-1", "ok")
    assert gone.why == "no_device: none free"
    assert comparison.regressions == []
    assert comparison.new == ()


def confirmation(base_ms: Any, head_ms: Any, **others: Any) -> Confirmation:
    place = ("native", "workbench", 1, "float32", "latency")
    cell = CellKey(*place, "mobilenet_v2_1.0_224", "random(seed 0)", "tvm")
    when = "2026-01-02T03:00:00+00:00"
    made = Confirmation(HEAD.run_id, BASE.run_id, cell, when, base_ms, head_ms)
    return replace(made, **others)


@pytest.mark.parametrize(("first", "then"), [(1.0, 1.1), (1.1, 1.0), (1.1, 1.1)])
def test_repeated_measurements_decide_the_verdict(
    nights: Nights, first: float, then: float
) -> None:
    nights.add_both(first)
    nights.store.add_confirmation(confirmation(rounds_ms(8), rounds_ms(9, then)))
    verdict = "slower" if then > 1 else "same"
    latency = nights.only().latency
    assert latency is not None
    assert (latency.verdict, latency.confirmed) == (verdict, True)
    (back,) = nights.compare(swapped=True).cells
    assert back.latency is not None
    assert back.latency.confirmed
    assert back.verdict == MIRRORED.get(verdict, verdict)


@pytest.mark.parametrize(
    "other",
    [
        {"base_run_id": "of-another-night"},
        {"variant": "mobilenet_v2_0.5_224"},
        {"device": "another-board"},
        {"threads": 2},
        {"base_rounds_ms": []},  # the board was lost before
    ],
    ids=lambda other: next(iter(other)),
)
def test_repeated_measurements_of_other_runs_are_ignored(
    nights: Nights, other: dict[str, Any]
) -> None:
    nights.add_both(1.1)
    made = confirmation(rounds_ms(8), rounds_ms(9))
    axes = {name: value for name, value in other.items() if name in CellKey.names()}
    others = {name: value for name, value in other.items() if name not in axes}
    made = replace(made, **others, cell=replace(made.cell, **axes))
    nights.store.add_confirmation(made)
    change = nights.only()
    assert change.verdict == "slower"
    assert change.latency is not None
    assert not change.latency.confirmed


def test_noisy_and_emulated_rows_have_a_remark(nights: Nights) -> None:
    nights.add(BASE, rounds_ms(1), calibration_before_ms=10.0, emulated=True)
    nights.add(HEAD, rounds_ms(2), calibration_before_ms=12.0, warnings="spread: 20%")
    comparison = nights.compare()
    (change,) = comparison.cells
    assert change.emulated
    (remark,) = comparison.remarks
    assert "20% more time in HEAD" in remark


def test_an_emulator_s_latency_is_not_compared_and_its_instructions_are(nights: Nights) -> None:
    for run, times, count in ((BASE, 1, 100_000_000), (HEAD, 3, 100_500_000)):
        nights.add(run, rounds_ms(1, times), emulated=True, instructions=count)
    change = nights.only()
    assert (change.latency, change.doubts, change.verdict) == (None, (), "worse")
    (count,) = (figure for figure in change.figures if figure.column == "instructions")
    assert (count.base, count.head, count.change) == (100_000_000, 100_500_000, "worse")


@pytest.mark.parametrize(("after", "verdict"), [(100_005_000, "same"), (99_500_000, "better")])
def test_as_many_instructions_are_no_change(nights: Nights, after: int, verdict: str) -> None:
    nights.add(BASE, rounds_ms(1), emulated=True, instructions=100_000_000)
    nights.add(HEAD, rounds_ms(2), emulated=True, instructions=after)
    assert nights.only().verdict == verdict


def test_only_changed_versions_are_listed(nights: Nights) -> None:
    for run, commit, version in ((BASE, "aaaa", "1.20"), (HEAD, "bbbb", "1.21")):
        nights.add(run, rounds_ms(1), git_commit=commit, tvm_version="0.27")
        nights.add(
            run, rounds_ms(1), runtime="onnxruntime", runtime_version=version, git_commit=commit
        )
    told = [(one.what, one.base, one.head) for one in nights.compare().differences]
    assert told == [("commit", "aaaa", "bbbb"), ("onnxruntime", "1.20", "1.21")]


def test_a_row_without_samples_is_unclear(nights: Nights) -> None:
    nights.add(BASE, rounds_ms(1))
    nights.add(HEAD, status="ok")
    change = nights.only()
    assert (change.verdict, change.latency) == ("unclear", None)


def test_a_run_cannot_be_compared_with_itself(nights: Nights) -> None:
    nights.add_both()
    with pytest.raises(ReportError, match="are both run"):
        compare_runs(nights.store, BASE, BASE)


def test_a_run_without_rows_is_refused(nights: Nights) -> None:
    nights.add(BASE, rounds_ms(1))
    with pytest.raises(ReportError, match="head has no rows to compare yet"):
        nights.compare()


@pytest.mark.parametrize(
    ("others", "reason"),
    [
        ({"device": "laptop"}, "device is workbench in BASE and laptop in HEAD"),
        ({"weights": "a.pth"}, r"weights is random\(seed 0\) in BASE and a.pth in HEAD"),
        ({"variant": "mobilenet_v2_0.5_224"}, "no cell in common"),
        ({"status": "no_device"}, "no cell in common"),
    ],
)
def test_runs_with_nothing_in_common_say_why(
    nights: Nights, others: dict[str, Any], reason: str
) -> None:
    nights.add(BASE, rounds_ms(1))
    nights.add(HEAD, rounds_ms(1), **others)
    with pytest.raises(ReportError, match=reason):
        nights.compare()
