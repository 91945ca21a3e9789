"""What becomes of a camera's frames."""

import pytest

from mobilebench.bench.measure.pace import Pace, count_frames
from mobilebench.bench.runtimes.stretch import Stretch
from tests.bench.runtimes.test_stretch import at_pace


def test_a_network_of_20_ms_answers_every_frame_in_time_at_30_a_second() -> None:
    found = count_frames([at_pace(30, *[20] * 30), at_pace(30, *[20] * 30)], 30)
    assert (found.frames, found.missed, found.dropped) == (60, 0, 0)
    assert found.idle_share == pytest.approx(0.4)


def test_a_network_of_50_ms_is_late_for_one_frame_and_drops_the_next_at_30_a_second() -> None:
    found = count_frames([at_pace(30, *[50] * 15)], 30)
    assert (found.frames, found.missed, found.dropped) == (30, 30, 15)
    assert found.idle_share == pytest.approx(0.25)


def test_one_slow_inference_costs_its_frame_and_those_that_came_meanwhile() -> None:
    found = count_frames([at_pace(10, 40, 250, 40)], 10)  # of frames 0, 1 and 4
    assert (found.frames, found.missed, found.dropped) == (5, 3, 2)
    assert found.idle_share == pytest.approx(1 - 330 / 500)


def test_an_answer_at_the_very_moment_of_the_next_frame_is_in_time() -> None:
    found = count_frames([at_pace(10, 100, 100)], 10)
    assert (found.frames, found.missed, found.dropped) == (2, 0, 0)
    assert found.idle_share == pytest.approx(0)


def test_an_inference_that_was_begun_late_is_late() -> None:
    late = Stretch([60.0], 1, frames=[0], begun_ms=[45.0])
    assert count_frames([late], 10) == Pace(2, 2, 1, pytest.approx(1 - 60 / 200))
