"""The nightly decision, on simulated nights and on a store."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from mobilebench.reports.history.finding import Finding
from mobilebench.reports.history.history import changes_of, find_suspects, judge, second_pairs
from mobilebench.reports.history.outcomes import LEAST_CHANGE, Outcome, outcomes_of
from mobilebench.reports.history.suspects import LibraryPair, Suspect
from mobilebench.reports.history.timeline import LATENCY, Timeline, read_timeline, recent_nights
from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.records.confirmation import Confirmation
from mobilebench.reports.records.record import Record
from mobilebench.reports.records.store import Run, Store
from tests.reports import histories

detection = histories.load()


@pytest.mark.parametrize("seed", [0, 1])
def test_a_step_of_seven_percent_is_called_in_its_second_night(seed: int) -> None:
    steps = detection.simulate("step", 0.07, 40, seed)
    result = detection.with_measuring(steps)
    assert detection.within(steps, result, 1) <= 0.02
    assert detection.within(steps, result, 2) >= 0.9
    assert result.alarms < 0.01


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        ("none", 0.0),
        ("drift", 0.001),
        ("drift of the machine", 0.001),
        ("outlier", 0.2),
        ("step of the machine", 0.07),
    ],
)
def test_nothing_is_called_without_a_step(kind: str, size: float) -> None:
    result = detection.with_measuring(detection.simulate(kind, size, 20, 2))
    assert result.alarms < 0.001


def test_medians_alone_find_a_step_later() -> None:
    steps = detection.simulate("step", 0.07, 20, 0)
    result = detection.by_medians(steps, 16)
    assert detection.within(steps, result, 2) < 0.6
    assert detection.within(steps, result, 7) > 0.6


@pytest.fixture
def store() -> Store:
    """Return an empty store that no disk has to keep."""
    return Store("sqlite:///:memory:")


@dataclass
class Nights:
    """One cell, night by night, and what measuring its libraries again comes to."""

    store: Store
    make_record: Callable[..., Record]
    values: dict[str, Any] = field(default_factory=dict)
    count: int = 0
    outcomes: dict[Any, Outcome] = field(default_factory=dict)

    def add(self, latency_ms: float | None = 3.0, key: str | None = None, **others: Any) -> None:
        run = Run(f"night-{self.count:02}", f"2026-01-01T00:{self.count:02}", {})
        self.store.begin_run(run)
        noise = 1 + 0.002 * (-1) ** self.count  # so that there is some
        if latency_ms is None:
            others = {"status": "crashed"} | others
        else:
            latency_ms *= noise
        record = self.make_record(
            latency_ms=latency_ms,
            run_id=run.run_id,
            artifact_key=f"library-{self.count}" if key is None else key,
            **(self.values | others),
        )
        self.store.add(record)
        self.count += 1

    @property
    def timeline(self) -> Timeline:
        tonight = self.store.find_run(f"night-{self.count - 1:02}")
        return read_timeline(self.store, recent_nights(self.store, tonight))

    def suspects(self) -> list[Suspect]:
        return find_suspects(self.timeline, self.outcomes)

    def confirm(self, pair: LibraryPair, ratio: float) -> None:
        key = (pair.head.run_id, pair.cell)
        self.outcomes[key] = Outcome(pair.bases[0].run_id, ratio, ratio - 0.01, ratio + 0.01)

    def night(self, latency_ms: float, ratio: float, last: float | None = None) -> list[Finding]:
        """Go through a night; libraries are so many times as slow as the base, last night's too."""
        self.add(latency_ms)
        suspects = self.suspects()
        for suspect in suspects:
            assert suspect.pair is not None
            self.confirm(suspect.pair, ratio)
        for pair in second_pairs(suspects, self.outcomes):
            assert last is not None, "nobody asked for last night's library"
            self.confirm(pair, last)
        return judge(suspects, self.outcomes)


@pytest.fixture
def nights(store: Store, make_record: Callable[..., Record]) -> Nights:
    found = Nights(store, make_record)
    for _ in range(20):
        found.add()
    return found


def test_a_steady_history_has_no_suspects(nights: Nights) -> None:
    assert nights.suspects() == []


def test_a_slower_night_is_a_suspect_to_be_held_against_a_night_before(nights: Nights) -> None:
    nights.add(3.3)
    (suspect,) = nights.suspects()
    assert suspect.slower
    assert suspect.ratio == pytest.approx(1.1, rel=0.02)
    assert suspect.since == "night-20"
    assert suspect.pair is not None
    assert suspect.pair.head.artifact_key == "library-20"
    assert suspect.pair.bases[0].artifact_key == "library-16"
    assert "library-19" not in [base.artifact_key for base in suspect.pair.bases]


def test_one_night_is_pending_and_the_next_is_a_regression(nights: Nights) -> None:
    assert [f.kind for f in nights.night(3.3, 1.1, last=1.0)] == ["pending"]
    (finding,) = nights.night(3.3, 1.09)
    assert (finding.kind, finding.worse) == ("regression", True)
    assert (finding.ratio, finding.low, finding.high) == (1.09, 1.08, 1.10)


def test_a_regression_is_called_once(nights: Nights) -> None:
    nights.night(3.3, 1.1, last=1.0)
    nights.night(3.3, 1.1)
    for _ in range(10):
        assert nights.night(3.3, 1.0) == []


def test_a_second_regression_after_the_first_is_called_too(nights: Nights) -> None:
    nights.night(3.3, 1.1, last=1.0)
    nights.night(3.3, 1.1)
    for _ in range(5):
        nights.night(3.3, 1.0)
    assert [f.kind for f in nights.night(3.63, 1.1, last=1.0)] == ["pending"]
    assert [f.kind for f in nights.night(3.63, 1.1)] == ["regression"]


def test_last_nights_library_may_agree_afterwards(nights: Nights) -> None:
    nights.add(3.01)  # the change was in it, and noise hid it
    (finding,) = nights.night(3.3, 1.1, last=1.1)
    assert finding.kind == "regression"


def test_a_pending_change_is_measured_whatever_the_next_median_says(nights: Nights) -> None:
    nights.night(3.3, 1.1, last=1.0)
    assert [f.kind for f in nights.night(3.0, 1.1)] == ["regression"]


def test_a_pending_change_that_is_gone_is_dismissed(nights: Nights) -> None:
    nights.night(3.3, 1.1, last=1.0)
    assert [f.kind for f in nights.night(3.0, 1.0)] == ["dismissed"]
    assert nights.night(3.0, 1.0) == []


def test_a_slower_machine_is_no_regression(nights: Nights) -> None:
    kinds = [f.kind for _ in range(8) for f in nights.night(3.3, 1.002)]
    assert set(kinds) == {"dismissed"}


def test_a_significant_but_small_change_is_no_regression(nights: Nights) -> None:
    kinds = [f.kind for _ in range(3) for f in nights.night(3.3, 1.0 + 0.9 * LEAST_CHANGE)]
    assert set(kinds) == {"dismissed"}


def test_the_same_library_on_both_sides_is_not_measured(nights: Nights) -> None:
    for _ in range(6):
        nights.add(key="one")
    nights.add(3.3, key="one")
    (suspect,) = nights.suspects()
    assert suspect.pair is None
    assert suspect.same_library


def test_the_same_slow_library_on_two_nights_is_a_regression_at_once(nights: Nights) -> None:
    nights.add(3.01, key="slow")
    nights.add(3.3, key="slow")
    (suspect,) = suspects = nights.suspects()
    assert suspect.pair is not None
    nights.confirm(suspect.pair, 1.1)
    assert second_pairs(suspects, nights.outcomes) == []
    assert [f.kind for f in judge(suspects, nights.outcomes)] == ["regression"]
    nights.add(3.3, key="slow")
    assert nights.suspects() == []


def test_a_night_shown_to_be_alike_starts_nothing(nights: Nights) -> None:
    nights.night(3.3, 1.0)
    nights.add(3.3)
    (suspect,) = nights.suspects()
    assert suspect.since == "night-21"


@pytest.mark.parametrize("gone", ["library", "device"])
def test_a_cell_that_cannot_be_measured_again_is_only_suspected(nights: Nights, gone: str) -> None:
    for _ in range(3):
        nights.add(3.3, key="" if gone == "library" else None)
        findings = judge(nights.suspects(), nights.outcomes)
        assert [f.kind for f in findings] == ["suspected"]
        assert "not measured again" in findings[0].why


def test_other_runtimes_are_reported_only_for_clear_changes(
    store: Store, make_record: Callable[..., Record]
) -> None:
    nights = Nights(store, make_record, {"runtime": "onnxruntime"})
    generator = np.random.default_rng(0)
    for scattered in generator.normal(0, 0.02, 30):
        nights.add(3.0 * (1 + scattered), key="")
        assert judge(nights.suspects(), {}) == []
    nights.add(4.0, key="")
    (finding,) = judge(nights.suspects(), {})
    assert finding.kind == "suspected"
    assert "only TVM's" in finding.why


def test_an_improvement_is_called_like_a_regression(nights: Nights) -> None:
    assert [f.kind for f in nights.night(2.7, 0.9, last=1.0)] == ["pending"]
    (finding,) = nights.night(2.7, 0.9)
    assert (finding.kind, finding.worse) == ("improvement", False)


def test_nights_without_a_row_are_stepped_over(nights: Nights) -> None:
    nights.night(3.3, 1.1, last=1.0)
    nights.add(None)
    assert nights.suspects() == []
    assert [f.kind for f in nights.night(3.3, 1.1)] == ["regression"]


def test_a_new_cell_is_not_suspected(store: Store, make_record: Callable[..., Record]) -> None:
    nights = Nights(store, make_record)
    for latency_ms in (3.0, 3.0, 3.0, 4.0, 4.0):
        nights.add(latency_ms)
        assert nights.suspects() == []


def test_emulated_latency_is_never_suspected(
    store: Store, make_record: Callable[..., Record]
) -> None:
    nights = Nights(store, make_record, {"emulated": True})
    for latency_ms in [3.0] * 20 + [9.0]:
        nights.add(latency_ms)
    assert nights.suspects() == []


def test_an_empty_store_has_no_suspects(store: Store) -> None:
    assert find_suspects(read_timeline(store, store.runs()), {}) == []


def test_steps_in_a_store_are_found_for_people(nights: Nights) -> None:
    for _ in range(6):
        nights.add(3.3)
    (changes,) = changes_of(nights.timeline).values()
    assert [step.night for step in changes.steps] == [20]


def test_a_window_holds_the_newest_nights(nights: Nights) -> None:
    tonight = nights.store.find_run("night-15")
    runs = recent_nights(nights.store, tonight, window=4)
    assert [run.run_id for run in runs] == [f"night-{n}" for n in (12, 13, 14, 15)]
    timeline = read_timeline(nights.store, runs)
    assert timeline.wide("latency_p50_ms").shape == (1, 4)
    assert timeline.texts("artifact_key").tolist() == [[f"library-{n}" for n in (12, 13, 14, 15)]]


def test_cells_keep_their_own_numbers(store: Store, make_record: Callable[..., Record]) -> None:
    runs = [Run(f"night-{n}", f"{n}", {}) for n in range(3)]
    for n, run in enumerate(runs):
        store.begin_run(run)
        for runtime in ("tvm", "ncnn", "torch")[n:] + ("tvm", "ncnn")[: n and 1]:
            store.add(make_record(run_id=run.run_id, runtime=runtime, latency_ms=n + len(runtime)))
    timeline = read_timeline(store, runs)
    latency = dict(zip((c.runtime for c in timeline.cells), timeline.wide(LATENCY), strict=True))
    np.testing.assert_array_equal(latency["tvm"], [3, 4, 5])
    np.testing.assert_array_equal(latency["ncnn"], [4, 5, np.nan])
    np.testing.assert_array_equal(latency["torch"], [5, 6, 7])


def confirmation(cell: CellKey, base: list[list[float]], head: list[list[float]]) -> Confirmation:
    return Confirmation("tonight", "before", cell, "2026-01-02T03:04:05+00:00", base, head)


@pytest.mark.parametrize(
    ("times", "verdict"), [(1.0, "same"), (1.08, "worse"), (1 / 1.08, "better"), (1.022, "unclear")]
)
def test_outcomes_are_computed_from_raw_samples(
    make_record: Callable[..., Record], times: float, verdict: str
) -> None:
    cell = CellKey.of(make_record())
    generator = np.random.default_rng(0)
    base = (3 + generator.normal(0, 0.01, (5, 20))).tolist()
    head = (times * 3 + generator.normal(0, 0.01, (5, 20))).tolist()
    outcomes = outcomes_of([confirmation(cell, base, head)])
    outcome = outcomes["tonight", cell]
    assert (outcome.base_run_id, outcome.verdict) == ("before", verdict)
    assert outcome.low < times < outcome.high


def test_one_round_or_none_gives_no_outcome(make_record: Callable[..., Record]) -> None:
    cell = CellKey.of(make_record())
    (outcome,) = outcomes_of([confirmation(cell, [[3.0, 3.0]], [[4.0, 4.0]])]).values()
    assert outcome.verdict == "unclear"
    assert outcomes_of([confirmation(cell, [], [[4.0]])]) == {}


def test_what_cannot_be_measured_again_is_dismissed_where_the_machine_was_as_slow(
    nights: Nights,
) -> None:
    def night(machine: float) -> Finding:
        for _ in range(3):
            nights.add(3.0 * 1.4, "", calibration_before_ms=2.0, calibration_after_ms=2.0 * machine)
        (finding,) = judge(nights.suspects(), nights.outcomes)
        return finding

    nights.values |= {"calibration_before_ms": 2.0, "runtime": "onnxruntime"}
    for _ in range(20):
        nights.add(3.0, "")
    found = night(1.4)
    assert found.kind == "dismissed"
    assert found.why.startswith("unclear: the machine was 1.40 times slower, by its calibration")
