import dataclasses

import numpy as np
import pytest

from mobilebench.bench.config.effort import EFFORTS, find_effort
from mobilebench.bench.measure.attempt import CellResult
from mobilebench.bench.measure.latency import Latency, is_complete, round_size, warnings_for
from mobilebench.reports.records.calibration import Calibration
from mobilebench.targets.devices.device import DeviceState
from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.cpu_allowance import CpuAllowance


def test_percentiles_are_over_all_rounds() -> None:
    latency = Latency.from_rounds([list(range(1, 51)), list(range(51, 101))])
    assert latency.samples == 100
    assert latency.p50_ms == pytest.approx(50.5)
    assert latency.p90_ms == pytest.approx(90.1)
    assert latency.p99_ms == pytest.approx(99.01)
    assert latency.mean_ms == pytest.approx(50.5)


def test_the_interval_holds_the_median_and_is_reproducible() -> None:
    rounds = np.random.default_rng(1).lognormal(size=(5, 40)).tolist()
    latency = Latency.from_rounds(rounds)
    assert latency.ci95_low_ms < latency.p50_ms < latency.ci95_high_ms
    assert latency == Latency.from_rounds(rounds)


def test_rounds_that_disagree_widen_the_interval() -> None:
    generator = np.random.default_rng(1)
    steady = [generator.normal(10, 0.1, 40).tolist() for _ in range(5)]
    moving = [generator.normal(10 + i, 0.1, 40).tolist() for i in range(5)]
    width = [
        latency.ci95_high_ms - latency.ci95_low_ms
        for latency in map(Latency.from_rounds, (steady, moving))
    ]
    assert width[1] > 10 * width[0]


def test_the_interval_covers_the_true_median_as_often_as_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mobilebench.bench.measure.latency._RESAMPLES", 400)
    generator = np.random.default_rng(2)
    hits = 0
    for _ in range(60):
        found = Latency.from_rounds(generator.normal(10, 1, (10, 10)).tolist())
        hits += found.ci95_low_ms <= 10 <= found.ci95_high_ms
    assert hits >= 52


def test_an_interval_of_very_many_samples_is_no_more_work(monkeypatch: pytest.MonkeyPatch) -> None:
    sort, sorted_numbers = np.sort, 0

    def counting(values: np.ndarray, *arguments: object, **options: object) -> np.ndarray:
        nonlocal sorted_numbers
        sorted_numbers += np.asarray(values).size
        found: np.ndarray = sort(values, *arguments, **options)  # type: ignore[call-overload]
        return found

    monkeypatch.setattr("mobilebench.bench.measure.latency._RESAMPLES", 100)
    monkeypatch.setattr(np, "sort", counting)
    generator = np.random.default_rng(1)
    rounds = [(shift + generator.gamma(9, 1e-4, 40_000)).tolist() for shift in (0.001, 0, 0.001)]
    latency = Latency.from_rounds(rounds)
    assert latency.samples == 120_000
    assert latency.p50_ms == pytest.approx(float(np.median(rounds)))
    assert sorted_numbers < 120_000 + 100 * 12_000
    # Two rounds agree on their median and one is apart: the interval spans both.
    apart, usual = (float(np.median(rounds[place])) for place in (1, 0))
    assert latency.ci95_low_ms == pytest.approx(apart, rel=0.02)
    assert latency.ci95_high_ms == pytest.approx(usual, rel=0.02)


def test_a_round_that_was_cut_short_counts_for_what_it_has() -> None:
    whole, short = [1.0] * 9, [3.0]
    latency = Latency.from_rounds([whole, short])
    assert latency.p50_ms == latency.ci95_low_ms == 1.0
    assert latency.ci95_high_ms == 3.0  # where the short one was drawn twice


def test_one_sample_has_no_spread() -> None:
    latency = Latency.from_rounds([[2.0]])
    assert (latency.p50_ms, latency.cv, latency.ci95_low_ms) == (2.0, 0.0, 2.0)


@pytest.mark.parametrize("effort", EFFORTS.values(), ids=lambda effort: effort.name)
@pytest.mark.parametrize("inference_ms", [0.0625, 3.0, 700.0])
def test_rounds_of_the_planned_size_satisfy_an_effort(effort: object, inference_ms: float) -> None:
    size = round_size(effort, inference_ms)  # type: ignore[arg-type]
    rounds = [[inference_ms] * size] * effort.rounds  # type: ignore[attr-defined]
    assert is_complete(effort, rounds)  # type: ignore[arg-type]
    assert not is_complete(effort, rounds[:-1])  # type: ignore[arg-type]


def test_samples_and_seconds_must_both_suffice() -> None:
    quick = EFFORTS["quick"]
    assert not is_complete(quick, [[0.1] * 20] * 5)  # enough samples, too short
    assert not is_complete(quick, [[500.0] * 2] * 5)  # long enough, too few samples


def test_large_spread_and_drift_give_warnings() -> None:
    steady = Latency.from_rounds([[1.0, 1.01, 0.99]])
    spread = Latency.from_rounds([[1.0, 2.0, 3.0]])
    assert warnings_for(steady, 1.0, 1.05) == []
    assert warnings_for(steady, None, None) == []
    assert "standard deviation is 50%" in warnings_for(spread, 1.0, 1.0)[0]
    assert "30% more time" in warnings_for(steady, 1.0, 1.3)[0]
    assert "20% less time" in warnings_for(steady, 1.0, 0.8)[0]


def test_a_machine_that_changed_between_rounds_or_had_other_work_gives_warnings() -> None:
    steady = Latency.from_rounds([[1.0, 1.01, 0.99]])
    quiet = [Calibration(0.2, 0.1, 0.1, 0)] * 4
    slow = Calibration(0.3, 0.1, 0.1, None)
    assert warnings_for(steady, 1.0, 1.0, calibrations=quiet) == []
    assert warnings_for(steady, 1.0, 1.0, calibrations=[*quiet, slow]) == []  # at one moment
    (found,) = warnings_for(steady, 1.0, 1.0, calibrations=[*quiet[:3], slow, slow])
    assert found == (
        "host drifted between rounds: the calibration kernel of arithmetic took 0.2 to 0.3 ms"
    )
    busy = [*quiet, *[Calibration(0.2, 0.1, 0.1, 3)] * 2]
    (found,) = warnings_for(steady, 1.0, 1.0, calibrations=busy)
    assert found == "other programs ran at 2 of 6 moments between rounds"


def test_a_quota_that_has_stopped_the_process_is_told_as_the_reason_for_spread() -> None:
    steady, spread = (
        dataclasses.replace(Latency.from_rounds([[1.0, 1.0, 1.0]]), cv=cv) for cv in (0.0, 0.5)
    )
    state = DeviceState(
        "", "", "", "", False, "", "", 2, frozenset(), "", None, None, None, None, 1.0
    )

    def result(before_s: float, after_s: float) -> CellResult:
        before, after = (
            dataclasses.replace(state, allowance=CpuAllowance((0, 1), (0, 1), 1.5, stopped_s))
            for stopped_s in (before_s, after_s)
        )
        return CellResult([], before=before, after=after)

    stopped = result(1.0, 3.5).stopped
    assert stopped.startswith("its quota of 1.5 CPUs' time stopped it for 2.5 s: ")
    (found,) = warnings_for(spread, 1.0, 1.0, stopped)
    assert found == f"spread: standard deviation is 50% of the mean, probably because {stopped}"
    assert warnings_for(steady, 1.0, 1.0, stopped) == [f"quota: {stopped}"]
    assert result(3.5, 3.5).stopped == ""
    assert CellResult([], before=state, after=state).stopped == ""
    assert CellResult([]).stopped == ""


def test_an_unknown_effort_names_the_nearest() -> None:
    with pytest.raises(BenchError, match="did you mean rigorous"):
        find_effort("rigourous")
