"""Inferences at a camera's pace, with a clock that a test moves."""

import pytest

from mobilebench.bench.runtimes.stretch import Stretch, take_frames


class Clock:
    """Time that passes only when somebody sleeps or computes."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now_s += seconds


def at_pace(frames_per_s: float, *latencies_ms: float) -> Stretch:
    clock, left = Clock(), list(latencies_ms)

    def run() -> None:
        clock.now_s += left.pop(0) / 1000

    return take_frames(run, len(latencies_ms), frames_per_s, clock, clock.sleep)


def test_an_inference_is_begun_when_each_frame_comes() -> None:
    found = at_pace(30, 20, 20, 20)
    assert found.frames == [0, 1, 2]
    assert found.begun_ms == pytest.approx([0, 100 / 3, 200 / 3])
    assert found.latencies_ms == pytest.approx([20, 20, 20])
    assert found.executed == 3


def test_frames_that_come_meanwhile_are_dropped() -> None:
    found = at_pace(30, 50, 50, 110, 20)
    assert found.frames == [0, 2, 4, 8]
    assert found.begun_ms == pytest.approx([0, 200 / 3, 400 / 3, 800 / 3])


def test_a_frame_that_comes_at_the_very_end_of_an_inference_is_taken() -> None:
    assert at_pace(10, 100, 100, 300, 100).frames == [0, 1, 2, 5]
