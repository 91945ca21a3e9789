"""How far figures would move with other images."""

import numpy as np
import pytest

from mobilebench.bench.accuracy.bootstrap import bootstrap_interval


def test_interval_of_a_share_is_1_96_standard_errors_wide() -> None:
    right = np.arange(400) % 4 > 0  # 75 %
    interval = bootstrap_interval(400, lambda draw: 100 * float(draw @ right) / draw.sum())
    half = 1.96 * 100 * np.sqrt(0.75 * 0.25 / 400)
    assert interval == pytest.approx((75 - half, 75 + half), abs=0.2 * half)
    low, high = interval
    assert low is not None
    assert high is not None
    assert (low + high) / 2 == pytest.approx(75)


def test_a_constant_figure_has_a_zero_interval_and_one_image_has_none() -> None:
    assert bootstrap_interval(5, lambda _draw: 42.0) == (42.0, 42.0)
    assert bootstrap_interval(1, lambda _draw: 42.0) == (None, None)


def test_nan_resamples_are_ignored_and_intervals_end_at_100_percent() -> None:
    low, high = bootstrap_interval(3, lambda draw: np.nan if draw[0] == 0 else 100.0 - draw[1])
    assert low is not None
    assert high is not None
    assert low < 99 < high == 100
