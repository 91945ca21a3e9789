import pytest

from mobilebench.reports.tables.accuracy_metrics import wilson_interval


def test_wilson_intervals_are_the_textbook_s() -> None:
    # Brown, Cai and DasGupta, Statistical Science 16 (2001): the interval stays inside 0 to 100.
    assert wilson_interval(0, 10) == pytest.approx((0, 27.75), abs=0.01)
    assert wilson_interval(100, 10) == pytest.approx((72.25, 100), abs=0.01)
    assert wilson_interval(50, 100) == pytest.approx((40.38, 59.62), abs=0.01)
