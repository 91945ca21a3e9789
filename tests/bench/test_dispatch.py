import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bench import dispatch
from bench.dispatch import Dispatcher
from targets.errors import BenchError

LIMIT_S = 10


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "_POLL_S", 0.02)


class Work:
    """Jobs that tell how many of them ran at once, and end in groups of a size."""

    def __init__(self, together: int = 1) -> None:
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()
        self._barrier = threading.Barrier(together)

    def job(self, result: int) -> Callable[[], int]:
        def run() -> int:
            with self._lock:
                self._now += 1
                self.most = max(self.most, self._now)
            try:
                self._barrier.wait(LIMIT_S)
                time.sleep(0.005)  # for one too many to show
            finally:
                with self._lock:
                    self._now -= 1
            return result

        return run


def fail() -> int:
    raise ValueError("the board burns")


def away(key: str) -> int:
    raise BenchError(f"the tracker of {key} is away")


def none_left(counts: Iterator[int]) -> Callable[[str], int]:
    """Return what tells these counts, and then that the tracker is away."""
    lock = threading.Lock()

    def boards(key: str) -> int:
        with lock:
            count = next(counts, None)
        return away(key) if count is None else count

    return boards


def test_as_many_jobs_run_at_once_as_there_are_boards_and_no_more() -> None:
    work = Work(together=3)
    dispatcher = Dispatcher[int](lambda key: 3)
    for number in range(12):
        dispatcher.submit("pi", work.job(number))
    assert sorted(dispatcher.results(wait=True)) == list(range(12))
    assert work.most == 3


def test_each_key_has_boards_of_its_own() -> None:
    counts = {"pi": 1, "phone": 2}
    asked = set()

    def boards(key: str) -> int:
        asked.add(key)
        return counts[key]

    work = {"pi": Work(), "phone": Work(together=2)}
    both = Work(together=3)  # jobs of both keys wait for each other
    dispatcher = Dispatcher[int](boards)
    for number, key in enumerate(("pi", "phone", "phone")):
        dispatcher.submit(key, both.job(number))
    for number in range(3, 9):
        for key, own in work.items():
            dispatcher.submit(key, own.job(number))
    assert sorted(dispatcher.results(wait=True)) == sorted([0, 1, 2, *2 * list(range(3, 9))])
    assert {key: own.most for key, own in work.items()} == counts
    assert asked == set(counts)


def test_jobs_of_a_key_begin_in_their_order() -> None:
    begun: list[int] = []
    dispatcher = Dispatcher[None](lambda key: 1)
    for number in range(5):
        dispatcher.submit("pi", lambda number=number: begun.append(number))
    assert len(list(dispatcher.results(wait=True))) == 5
    assert begun == list(range(5))


def test_without_waiting_only_what_is_done_is_handed_out() -> None:
    done = threading.Event()
    dispatcher = Dispatcher[bool](lambda key: 1)
    dispatcher.submit("pi", lambda: done.wait(LIMIT_S))
    assert list(dispatcher.results(wait=False)) == []
    done.set()
    assert list(dispatcher.results(wait=True)) == [True]
    assert list(dispatcher.results(wait=True)) == []


def test_a_board_is_used_again_while_nobody_asks_for_results() -> None:
    last = threading.Event()
    dispatcher = Dispatcher[Any](lambda key: 1)
    dispatcher.submit("pi", lambda: None)
    dispatcher.submit("pi", last.set)
    assert last.wait(LIMIT_S)


def test_what_a_job_raises_is_raised_and_costs_no_other_job_s_result() -> None:
    dispatcher = Dispatcher[int](lambda key: 1)
    dispatcher.submit("pi", fail)
    for number in range(3):
        dispatcher.submit("pi", Work().job(number))
    with pytest.raises(ValueError, match="the board burns"):
        list(dispatcher.results(wait=True))
    assert list(dispatcher.results(wait=True)) == [0, 1, 2]


def test_boards_that_come_later_are_used() -> None:
    counts = {"pi": 1}
    work = Work(together=2)  # one board alone would never be done
    dispatcher = Dispatcher[int](lambda key: counts[key])
    dispatcher.submit("pi", work.job(0))
    dispatcher.submit("pi", work.job(1))
    assert work.most < 2
    counts["pi"] = 2
    assert sorted(dispatcher.results(wait=True)) == [0, 1]
    assert work.most == 2


def test_while_the_tracker_is_away_its_last_count_holds() -> None:
    work = Work(together=2)
    dispatcher = Dispatcher[int](none_left(iter([2])))
    for number in range(6):
        dispatcher.submit("pi", work.job(number))
    assert sorted(dispatcher.results(wait=True)) == list(range(6))
    assert work.most == 2


@pytest.mark.parametrize("boards", [lambda key: 0, away], ids=["no board", "no tracker"])
def test_without_a_board_jobs_run_one_by_one_to_find_out_why(
    boards: Callable[[str], int],
) -> None:
    work = Work()
    dispatcher = Dispatcher[int](boards)
    for number in range(4):
        dispatcher.submit("pi", work.job(number))
    assert list(dispatcher.results(wait=True)) == [0, 1, 2, 3]
    assert work.most == 1
