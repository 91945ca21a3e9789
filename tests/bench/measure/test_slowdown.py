"""Whether, when and by how much a trace shows that a network became slower."""

import random
from collections.abc import Callable

import pytest

from mobilebench.bench.measure.slowdown import find_slowdown
from mobilebench.reports.records.trace import TracePoint


def trace(latency_ms: Callable[[int], float], seconds: int = 600) -> list[TracePoint]:
    """Return a point at the end of each second."""
    return [TracePoint(second + 1.0, latency_ms(second), 100) for second in range(seconds)]


def test_a_step_is_found_at_its_second() -> None:
    found = find_slowdown(trace(lambda second: 10 if second < 240 else 16))
    assert found
    assert (found.first_minute_ms, found.slows_after_s, found.steady_ms) == (10, 240.0, 16)
    assert found.speed_left == pytest.approx(0.625)


def test_a_steady_network_does_not_slow() -> None:
    noise = random.Random(0)
    found = find_slowdown(trace(lambda _second: noise.gauss(10, 0.5)))
    assert found and found.slows_after_s is None
    assert found.speed_left == pytest.approx(1, abs=0.03)


def test_noise_and_single_slow_seconds_do_not_move_the_moment() -> None:
    noise = random.Random(1)

    def latency_ms(second: int) -> float:
        level = 10.0 if second < 300 else 14.0
        return 30.0 if second in (50, 51, 130) else noise.gauss(level, 0.3)

    found = find_slowdown(trace(latency_ms))
    assert found and found.slows_after_s == pytest.approx(300, abs=2)
    assert found.steady_ms == pytest.approx(14, rel=0.02)


def test_a_slow_ramp_counts_from_where_it_is_five_percent_up() -> None:
    found = find_slowdown(trace(lambda second: 10 + max(0, second - 200) * 0.02))
    assert found and found.slows_after_s == pytest.approx(226, abs=2)


def test_a_device_that_goes_to_and_fro_has_slowed_when_that_begins() -> None:
    found = find_slowdown(
        trace(lambda second: 10 if second < 100 or second % 20 >= 13 else 15, seconds=400)
    )
    assert found and found.slows_after_s == pytest.approx(100, abs=2)


def test_a_slow_while_that_passes_is_no_slowdown() -> None:
    found = find_slowdown(trace(lambda second: 15 if 100 <= second < 200 else 10))
    assert found and found.slows_after_s is None


def test_throttling_within_the_first_minute_is_found_too() -> None:
    found = find_slowdown(trace(lambda second: 10 if second < 25 else 20))
    assert found and found.slows_after_s == 25.0
    assert found.first_minute_ms == 20  # most of it was slow: that is what is compared


def test_a_short_load_is_compared_with_its_first_half() -> None:
    found = find_slowdown(trace(lambda second: 10 if second < 12 else 12, seconds=20))
    assert found and (found.first_minute_ms, found.slows_after_s) == (10, 12.0)


def test_a_trace_of_a_few_points_says_nothing() -> None:
    assert find_slowdown(trace(lambda _second: 10, seconds=7)) is None
    assert find_slowdown([]) is None
