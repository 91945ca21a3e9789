from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest

from mobilebench.reports.history.change_points import (
    USUAL_SCATTER,
    Changes,
    find_changes,
    level_starts,
    logarithms,
    outliers,
    pack,
    scatter,
)

NIGHTS, SERIES, NOISE = 60, 200, 0.03


def noise(count: int = SERIES, nights: int = NIGHTS, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(0, NOISE, (count, nights))


def changes_in(logs: Any) -> list[Changes]:
    return find_changes(3 * np.exp(logs))


def share_with_steps(logs: Any) -> float:
    return float(np.mean([bool(changes.steps) for changes in changes_in(logs)]))


def test_noise_alone_has_no_steps() -> None:
    assert share_with_steps(noise()) <= 0.02


def test_a_step_is_found_where_it_is_and_as_large_as_it_is() -> None:
    logs = noise()
    logs[:, 45:] += np.log(1.10)
    found = [changes.steps for changes in changes_in(logs)]
    single = [steps[0] for steps in found if len(steps) == 1]
    assert len(single) >= 0.95 * SERIES
    assert np.mean([abs(step.night - 45) <= 1 for step in single]) > 0.9
    assert np.mean([step.low < 1.10 < step.high for step in single]) > 0.85
    assert np.median([step.ratio for step in single]) == pytest.approx(1.10, rel=0.01)


def test_a_step_down_is_a_ratio_below_one() -> None:
    logs = np.where(np.arange(40) < 25, np.log(2.0), 0.0)[None] + noise(1, 40)
    (changes,) = changes_in(logs)
    (step,) = changes.steps
    assert (step.night, round(step.ratio, 1)) == (25, 0.5)


def test_a_step_and_its_reversal_are_two_steps() -> None:
    logs = noise(1)
    logs[0, 20:35] += np.log(1.2)
    (changes,) = changes_in(logs)
    assert [step.night for step in changes.steps] == [20, 35]
    assert changes.steps[0].ratio * changes.steps[1].ratio == pytest.approx(1, rel=0.03)


@pytest.mark.parametrize("a_night", [0.001, -0.001, 0.002, 0.005])
def test_a_slow_drift_is_reported_and_is_no_step(a_night: float) -> None:
    found = changes_in(noise() + a_night * np.arange(NIGHTS))
    assert np.mean([bool(changes.steps) for changes in found]) <= 0.06
    drifts = [changes.drift for changes in found if changes.drift]
    assert len(drifts) >= 0.85 * SERIES
    assert np.median([drift.ratio_a_night for drift in drifts]) == pytest.approx(
        np.exp(a_night), abs=2e-4
    )


def test_noise_alone_hardly_drifts() -> None:
    assert np.mean([changes.drift is not None for changes in changes_in(noise())]) <= 0.02


def test_a_step_on_a_drift_is_both() -> None:
    logs = noise(1) / 10 + 0.001 * np.arange(NIGHTS)
    logs[0, 30:] += np.log(1.1)
    (changes,) = changes_in(logs)
    assert [step.night for step in changes.steps] == [30]
    assert changes.drift is not None
    assert changes.drift.low < np.exp(0.001) < changes.drift.high


@pytest.mark.parametrize("night", [0, 30, 57, 58, 59])
def test_a_single_outlier_is_reported_and_is_no_step(night: int) -> None:
    logs = noise()
    logs[:, night] += np.log(1.2)
    found = changes_in(logs)
    assert np.mean([bool(changes.steps) for changes in found]) <= 0.04
    assert np.mean([night in changes.outliers for changes in found]) > 0.9


def test_the_first_two_nights_of_a_step_are_no_outliers() -> None:
    logs = np.zeros((1, 20))
    logs[0, -2:] += 1.0
    assert not outliers(logs, np.array([NOISE]))[0, -2:].any()


def test_missing_nights_change_nothing_but_places() -> None:
    logs = noise(1, 40)
    logs[0, 25:] += np.log(1.2)
    (dense,) = changes_in(logs)
    sparse = np.full((1, 120), np.nan)
    sparse[0, 2::3] = logs[0]
    (thinned,) = changes_in(sparse)
    assert 25 in [step.night for step in dense.steps]
    assert [step.night for step in thinned.steps] == [2 + 3 * step.night for step in dense.steps]


@pytest.mark.parametrize("values", [[], [3.0], [3.0, 3.1, 2.9], [np.nan] * 8, [0.0, -1.0, 3.0]])
def test_too_few_nights_have_no_changes(values: list[float]) -> None:
    (changes,) = find_changes(np.array([values]))
    assert (changes.steps, changes.drift) == ((), None)


def test_numbers_that_never_vary_have_no_changes() -> None:
    (changes,) = find_changes(np.full((1, 30), 3.0))
    assert changes.steps == changes.outliers == ()
    assert changes.drift is None


def test_a_night_with_a_wide_interval_counts_less() -> None:
    values = np.exp(noise(1, 30, seed=3) / 10)
    values[0, -3:] *= 1.04
    low, high = 0.999 * values, 1.001 * values
    (sure,) = find_changes(values, low, high)
    low[0, -3:], high[0, -3:] = 0.9 * values[0, -3:], 1.1 * values[0, -3:]
    (unsure,) = find_changes(values, low, high)
    assert [step.night for step in sure.steps] == [27]
    assert unsure.steps == ()


def test_a_level_is_two_nights_at_least() -> None:
    logs = np.zeros((1, 10))
    logs[0, 4] = 9.0
    starts = np.flatnonzero(level_starts(logs, np.ones((1, 10)), penalty=1.0))
    assert not {4, 5} <= set(starts.tolist())


def test_levels_are_the_best_of_all() -> None:
    generator = np.random.default_rng(5)
    logs = generator.normal(0, 1, (20, 9)) + np.where(np.arange(9) >= 5, 3.0, 0.0)
    weights = generator.uniform(0.5, 2, logs.shape)
    weights[::3, 2] = 0  # a night that is not there

    def cost(row: int, starts: tuple[int, ...]) -> float:
        total, ends = 4.0 * len(starts), (0, *starts, 9)
        for first, last in pairwise(ends):
            part, weight = logs[row, first:last], weights[row, first:last]
            if (weight > 0).sum() < 2:
                return np.inf
            total += float((weight * (part - np.average(part, weights=weight)) ** 2).sum())
        return total

    found = level_starts(logs, weights, penalty=4.0)
    for row in range(len(logs)):
        every = [starts for n in range(4) for starts in combinations(range(1, 9), n)]
        best = min(cost(row, starts) for starts in every)
        assert cost(row, tuple(np.flatnonzero(found[row]).tolist())) == pytest.approx(best)


def test_scatter_is_that_of_the_nights_whatever_steps_there_are() -> None:
    logs = noise()
    logs[:, 20:] += 0.3
    logs[:, 40] += 0.3
    assert np.median(scatter(logs)) == pytest.approx(NOISE, rel=0.1)


def test_one_night_scatters_as_is_usual() -> None:
    assert scatter(np.array([[np.nan, 1.0]]))[0] == USUAL_SCATTER


def test_nights_are_packed_to_the_end_in_order() -> None:
    packed = pack(np.array([[1.0, np.nan, 2.0, np.nan, 3.0]]))
    np.testing.assert_array_equal(packed, [[np.nan, np.nan, 1.0, 2.0, 3.0]])


def test_values_not_above_zero_are_missing() -> None:
    assert np.isnan(logarithms(np.array([0.0, -1.0, np.nan]))).all()
