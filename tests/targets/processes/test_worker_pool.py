import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mobilebench.targets.processes.worker import WorkerCrashedError, WorkerError
from mobilebench.targets.processes.worker_pool import LocalWorkerPool
from tests.waiting import HANG_S


@pytest.fixture(scope="module")
def worker_pool() -> Iterator[LocalWorkerPool]:
    with LocalWorkerPool(2) as worker_pool:
        yield worker_pool


def test_a_process_is_kept_from_call_to_call(worker_pool: LocalWorkerPool) -> None:
    pids = {worker_pool.call("os", "getpid", timeout_s=HANG_S) for _ in range(3)}
    assert len(pids) == 1


def test_threads_of_one_process_do_not_spin_while_another_computes(
    worker_pool: LocalWorkerPool,
) -> None:
    policy = worker_pool.call("os", "getenv", "OMP_WAIT_POLICY", timeout_s=HANG_S)
    assert policy == "passive"


def test_at_most_max_workers_calls_are_computed_at_once(
    worker_pool: LocalWorkerPool, tmp_path: Path
) -> None:
    """Who opens one end of a pipe waits for the other: one process alone would wait for ever."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(2) as threads:
        ends = [
            threads.submit(worker_pool.call, "os", "open", str(pipe), flags, timeout_s=HANG_S)
            for flags in (os.O_RDONLY, os.O_WRONLY)
        ]
        assert all(end.result() > 0 for end in ends)


def test_a_process_that_died_is_replaced(worker_pool: LocalWorkerPool) -> None:
    with pytest.raises(WorkerCrashedError):
        worker_pool.call("os", "abort", timeout_s=HANG_S)
    assert worker_pool.call("os", "getpid", timeout_s=HANG_S)


def test_an_error_is_raised_to_its_caller_only(worker_pool: LocalWorkerPool) -> None:
    with pytest.raises(WorkerError, match="ValueError"):
        worker_pool.call("math", "sqrt", -1, timeout_s=HANG_S)
    assert worker_pool.call("math", "sqrt", 4, timeout_s=HANG_S) == 2


def test_callers_wait_for_a_free_worker() -> None:
    order: list[int] = []
    with LocalWorkerPool(1) as worker_pool:

        def call(number: int) -> None:
            worker_pool.call("time", "sleep", 0.01, timeout_s=HANG_S)
            order.append(number)

        threads = [threading.Thread(target=call, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(HANG_S)
    assert sorted(order) == list(range(5))
