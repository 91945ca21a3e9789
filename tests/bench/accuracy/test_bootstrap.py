"""How far figures would move with other images."""

import numpy as np
import pytest

from mobilebench.bench.accuracy.bootstrap import bootstrap_interval


def test_the_interval_of_a_share_is_its_standard_error_s() -> None:
    right = np.arange(400) % 4 > 0  # 75 %
    interval = bootstrap_interval(400, lambda draw: 100 * float(draw @ right) / draw.sum())
    half = 1.96 * 100 * np.sqrt(0.75 * 0.25 / 400)
    assert interval == pytest.approx((75 - half, 75 + half), abs=0.2 * half)
    low, high = interval
    assert low is not None
    assert high is not None
    assert (low + high) / 2 == pytest.approx(75)


def test_what_no_image_changes_is_certain_and_one_image_has_no_interval() -> None:
    assert bootstrap_interval(5, lambda _draw: 42.0) == (42.0, 42.0)
    assert bootstrap_interval(1, lambda _draw: 42.0) == (None, None)


def test_draws_that_leave_nothing_to_measure_are_left_out_and_percentages_end_at_100() -> None:
    low, high = bootstrap_interval(3, lambda draw: np.nan if draw[0] == 0 else 100.0 - draw[1])
    assert low is not None
    assert high is not None
    assert low < 99 < high == 100
