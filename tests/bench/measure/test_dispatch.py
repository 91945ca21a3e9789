import threading
import time
from collections.abc import Callable, Iterator

import pytest

from mobilebench.bench.measure import dispatch
from mobilebench.bench.measure.dispatch import Dispatcher, Job, in_order
from mobilebench.targets.errors import BenchError
from tests.waiting import HANG_S, wait_until


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
                self._barrier.wait(HANG_S)
                time.sleep(0.005)  # for one too many to show
            finally:
                with self._lock:
                    self._now -= 1
            return result

        return run


Call = Callable[[], int]


def jobs(*calls: Call, key: str = "pi", length: float = 1.0) -> list[Job[Call]]:
    return [Job(call, key, length) for call in calls]


def measuring(
    boards: Callable[[str], int] = lambda _key: 1,
    prepare: Callable[[Call], Call] = lambda call: call,
    max_workers: int = 1,
) -> Dispatcher[Call, Call, int]:
    return Dispatcher(prepare, lambda call: call(), boards, max_workers)


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
    calls = [work.job(number) for number in range(12)]
    assert sorted(measuring(lambda _key: 3).run(jobs(*calls))) == list(range(12))
    assert work.most == 3


def test_each_key_has_boards_of_its_own() -> None:
    counts = {"pi": 1, "phone": 2}
    asked = set()

    def boards(key: str) -> int:
        asked.add(key)
        return counts[key]

    work = {"pi": Work(), "phone": Work(together=2)}
    both = Work(together=3)  # jobs of both keys wait for each other
    todo = jobs(both.job(0), key="pi", length=2.0)
    todo += jobs(both.job(1), both.job(2), key="phone", length=2.0)
    for key, own in work.items():
        todo += jobs(*(own.job(number) for number in range(3, 9)), key=key)
    assert sorted(measuring(boards).run(todo)) == sorted([0, 1, 2, *2 * list(range(3, 9))])
    assert {key: own.most for key, own in work.items()} == counts
    assert asked == set(counts)


def test_a_board_has_its_next_job_ready_while_it_measures() -> None:
    """The first job ends only when the second is prepared."""
    prepared = threading.Semaphore(0)

    def prepare(call: Call) -> Call:
        prepared.release()
        return call

    def wait() -> int:
        return int(prepared.acquire(timeout=HANG_S) and prepared.acquire(timeout=HANG_S))

    assert list(measuring(prepare=prepare).run(jobs(wait, lambda: 2))) == [1, 2]


def test_at_most_max_workers_jobs_are_prepared_at_once() -> None:
    work = Work(together=4)

    def prepare(call: Call) -> Call:
        number = work.job(call())()
        return lambda: number

    calls = [lambda number=number: number for number in range(8)]
    found = list(measuring(prepare=prepare, max_workers=4).run(jobs(*calls)))
    assert sorted(found) == list(range(8))
    assert work.most == 4


def test_the_longest_job_goes_first_and_keys_take_turns() -> None:
    lengths = [("pi", 1.0), ("pi", 3.0), ("", 9.0), ("phone", 2.0), ("pi", 2.0), ("", 99.0)]
    todo = [Job(number, key, length) for number, (key, length) in enumerate(lengths)]
    assert [job.item for job in in_order(todo)] == [1, 3, 4, 0, 2, 5]


def test_the_longest_ready_job_goes_to_a_board_first() -> None:
    """The shortest is ready first, each longer one after it, all while the board is busy."""
    begun: list[int] = []

    def until_ready(count: int) -> None:
        wait_until(lambda: dispatcher.fleets()["pi"].ready >= count, f"{count} prepared jobs")

    def call(number: int) -> Call:
        def run() -> int:
            begun.append(number)
            if number == 0:
                busy.set()
                until_ready(3)
            return number

        return run

    def prepare(job: Job[Call]) -> Call:
        if job.length:
            assert busy.wait(HANG_S)
            until_ready(int(job.length) - 1)
        return job.item

    busy = threading.Event()
    dispatcher = Dispatcher(prepare, lambda call: call(), lambda _key: 1, 4)
    todo = [Job(Job(call(n), "pi", float(n)), "pi", float(n)) for n in range(4)]
    assert list(dispatcher.run(todo)) == begun == [0, 3, 2, 1]


def test_this_machine_is_measured_last_in_its_own_order_and_alone() -> None:
    work = Work()
    order: list[int] = []

    def call(number: int) -> Call:
        def run() -> int:
            order.append(number)
            return work.job(number)()

        return run

    todo = jobs(*(call(number) for number in range(4)), key="", length=1.0)
    todo += jobs(call(4), call(5), key="pi", length=0.5)
    assert list(measuring(max_workers=3).run(todo))[2:] == [0, 1, 2, 3]
    assert order[2:] == [0, 1, 2, 3]
    assert work.most == 1


def test_this_machine_prepares_everything_before_it_measures_itself() -> None:
    prepared: list[int] = []

    def prepare(call: Call) -> Call:
        time.sleep(0.01)
        prepared.append(1)
        return call

    todo = jobs(*(lambda: len(prepared) for _ in range(5)), key="")
    assert list(measuring(prepare=prepare, max_workers=2).run(todo)) == [5] * 5


@pytest.mark.parametrize("key", ["pi", ""])
def test_errors_of_jobs_and_preparations_are_raised(key: str) -> None:
    with pytest.raises(ValueError, match="the board burns"):
        list(measuring().run(jobs(fail, lambda: 1, key=key)))

    def prepare(call: Call) -> Call:
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        list(measuring(prepare=prepare).run(jobs(lambda: 1, key=key)))


def test_boards_that_come_later_are_used() -> None:
    counts = {"pi": 1}
    work = Work(together=2)  # one board alone would never be done

    def first() -> int:
        counts["pi"] = 2
        return work.job(0)()

    found = measuring(lambda key: counts[key]).run(jobs(first, work.job(1)))
    assert sorted(found) == [0, 1]
    assert work.most == 2


def test_a_board_that_leaves_gets_no_more_jobs() -> None:
    counts = {"pi": 2}
    late = Work()
    both = Work(together=2)

    def last_of_two(number: int) -> Call:
        def run() -> int:
            counts["pi"] = 1
            both.job(number)()
            wait_until(lambda: dispatcher.fleets()["pi"].boards == 1, "the dispatcher to notice")
            return number

        return run

    todo = jobs(last_of_two(0), last_of_two(1), length=2.0)
    todo += jobs(*(late.job(number) for number in range(2, 6)))
    dispatcher = measuring(lambda key: counts[key])
    assert sorted(dispatcher.run(todo)) == list(range(6))
    assert late.most == 1


def test_while_the_tracker_is_away_its_last_count_holds() -> None:
    work = Work(together=2)
    calls = [work.job(number) for number in range(6)]
    assert sorted(measuring(none_left(iter([2]))).run(jobs(*calls))) == list(range(6))
    assert work.most == 2


@pytest.mark.parametrize("boards", [lambda key: 0, away], ids=["no board", "no tracker"])
def test_without_a_board_jobs_run_one_by_one_to_find_out_why(
    boards: Callable[[str], int],
) -> None:
    work = Work()
    calls = [work.job(number) for number in range(4)]
    assert sorted(measuring(boards).run(jobs(*calls))) == [0, 1, 2, 3]
    assert work.most == 1


def test_the_state_of_boards_is_reported() -> None:
    dispatcher = measuring(lambda _key: 3)
    seen = []
    todo = jobs(lambda: seen.append(dispatcher.fleets()["pi"]) or 0)
    list(dispatcher.run(todo))
    assert (seen[0].boards, seen[0].busy, seen[0].ready, seen[0].left) == (3, 1, 0, 0)
