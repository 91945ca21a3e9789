import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.worker import (
    Worker,
    WorkerCrashedError,
    WorkerError,
    WorkerTimedOutError,
)
from tests.waiting import HANG_S, wait_until


def living() -> set[psutil.Process]:
    """Return the processes below this one; a zombie has ended already."""
    return {
        process
        for process in psutil.Process().children(recursive=True)
        if process.status() != psutil.STATUS_ZOMBIE
    }


@pytest.fixture
def worker() -> Iterator[Worker]:
    """Return a worker whose object is the `os` module."""
    with Worker("os") as worker:
        yield worker


def test_a_call_returns_what_the_function_returns(worker: Worker) -> None:
    assert worker.call("getpid", timeout_s=HANG_S) == worker.pid != os.getpid()


def test_a_worker_outlives_the_thread_that_had_it_started() -> None:
    with ThreadPoolExecutor(1) as thread:
        worker = thread.submit(Worker, "os").result()
    with worker:
        assert worker.call("getpid", timeout_s=HANG_S) == worker.pid


def test_a_class_is_made_with_its_arguments() -> None:
    with Worker("fractions:Fraction", 3, 4) as worker:
        assert str(worker.call("limit_denominator", 4, timeout_s=HANG_S)) == "3/4"


def test_an_error_has_one_line_and_the_worker_keeps_running(worker: Worker) -> None:
    with pytest.raises(WorkerError, match=r"^FileNotFoundError: .*nosuch'$"):
        worker.call("stat", "/nosuch", timeout_s=HANG_S)
    assert worker.call("getpid", timeout_s=HANG_S) == worker.pid


def test_a_refusal_stays_a_refusal() -> None:
    with (
        Worker("mobilebench.bench.models.variant") as worker,
        pytest.raises(BenchError, match="unknown variant"),
    ):
        worker.call("parse_variant", "resnet", timeout_s=HANG_S)


def test_a_factory_that_fails_is_an_error() -> None:
    with pytest.raises(WorkerError, match="ModuleNotFoundError"):
        Worker("nosuch_module")


def test_a_crash_names_the_signal(worker: Worker) -> None:
    with pytest.raises(WorkerCrashedError, match="SIGABRT"):
        worker.call("abort", timeout_s=HANG_S)
    assert not worker.alive
    with pytest.raises(WorkerCrashedError):
        worker.call("getpid", timeout_s=HANG_S)


def test_an_exit_names_its_code(worker: Worker) -> None:
    with pytest.raises(WorkerCrashedError, match="ended with 3"):
        worker.call("_exit", 3, timeout_s=HANG_S)


def test_an_orderly_exit_names_its_code_too() -> None:
    with Worker("sys") as worker, pytest.raises(WorkerCrashedError, match="ended with 3"):
        worker.call("exit", 3, timeout_s=HANG_S)


def test_a_result_that_cannot_be_pickled_is_reported() -> None:
    with Worker("threading") as worker, pytest.raises(WorkerError, match="cannot pickle"):
        worker.call("Lock", timeout_s=HANG_S)


@pytest.mark.parametrize("factory", ["nosuch_module", "mobilebench.bench.models.variant:Nosuch"])
def test_a_factory_that_fails_leaves_no_process(factory: str) -> None:
    with Worker("os"):  # multiprocessing starts a helper of its own beside the first worker
        pass
    before = living()
    with pytest.raises(WorkerError):
        Worker(factory)
    wait_until(lambda: not living() - before, "the worker's process to end")


@pytest.mark.parametrize("method", ["getpid", "abort"])
def test_a_closed_worker_leaves_no_process(method: str) -> None:
    with Worker("os"):  # multiprocessing starts a helper of its own beside the first worker
        pass
    before = living()
    with Worker("os") as worker:
        assert living() - before
        with contextlib.suppress(WorkerCrashedError):
            worker.call(method, timeout_s=HANG_S)
    assert living() - before == set()


def test_the_last_output_line_of_a_crashed_process_is_reported() -> None:
    with Worker("faulthandler") as worker, pytest.raises(WorkerCrashedError) as death:
        worker.call("_fatal_error_c_thread", timeout_s=HANG_S)
    assert str(death.value).startswith("the process was killed by SIGABRT: ")


def test_a_worker_s_output_is_not_printed(capfd: pytest.CaptureFixture[str]) -> None:
    with Worker("builtins") as worker:
        worker.call("print", "noise", timeout_s=HANG_S)
    assert "noise" not in "".join(capfd.readouterr())


def test_a_hanging_worker_is_killed_with_its_children(worker: Worker) -> None:
    mine = f"1000.{os.getpid()}"  # another run of the tests may sleep beside this one
    with pytest.raises(WorkerTimedOutError, match=r"no answer to system within 1 s"):
        worker.call("system", f"sleep {mine}", timeout_s=1)
    assert not psutil.pid_exists(worker.pid)

    def asleep() -> list[psutil.Process]:
        every = psutil.process_iter(["cmdline"])
        return [one for one in every if one.info["cmdline"] == ["sleep", mine]]

    wait_until(lambda: not asleep(), "what it started to end")


def test_a_paused_worker_does_nothing_until_it_is_resumed(worker: Worker) -> None:
    worker.call("getpid", timeout_s=HANG_S)
    worker.pause()
    process = psutil.Process(worker.pid)
    wait_until(lambda: process.status() == psutil.STATUS_STOPPED, "the process to stop")
    worker.resume()
    assert worker.call("getpid", timeout_s=HANG_S) == worker.pid


def test_a_paused_worker_can_be_closed(worker: Worker) -> None:
    worker.pause()
    worker.close()
    assert not psutil.pid_exists(worker.pid)


def test_temporary_files_go_with_the_worker() -> None:
    with Worker("tempfile") as worker:
        path = Path(worker.call("mkdtemp", timeout_s=HANG_S))
        assert path.is_dir()
    assert not path.parent.exists()


def test_blocked_modules_cannot_be_imported() -> None:
    with (
        Worker("importlib", blocked_modules=("fractions",)) as worker,
        pytest.raises(WorkerError, match="fractions"),
    ):
        worker.call("import_module", "fractions", timeout_s=HANG_S)


def test_a_finishing_worker_runs_its_exit_handlers(tmp_path: Path) -> None:
    with Worker("atexit") as worker:
        worker.call("register", (tmp_path / "farewell").touch, timeout_s=HANG_S)
        worker.finish()
    assert (tmp_path / "farewell").exists()
    assert not psutil.pid_exists(worker.pid)
