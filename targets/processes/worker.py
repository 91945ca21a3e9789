"""Runs an object in a separate process, so that its crash or hang affects nothing else."""

import importlib
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import Connection, wait
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, Self

import psutil

from mobilebench.targets.errors import BenchError, DeviceLostError, NoDeviceError
from mobilebench.targets.processes.process import die_with_parent
from mobilebench.targets.processes.scratch import scratch_root

START_LIMIT_S = 300.0
"""Time limit for the start of a process: minutes, because the machine may be busy."""
WITHOUT_TORCH = ("torch",)
"""Blocked where TVM is and nobody needs PyTorch: tvm-ffi imports it where it finds it, which
doubles the start of a process and its memory."""
_LOG = "printed.log"
_LAST_BREATH_S = 10.0
_FAREWELL_S = 30.0


class WorkerError(Exception):
    """The object raised an error; the text is the error's."""


class WorkerCrashedError(WorkerError):
    """The process died."""


class WorkerTimedOutError(WorkerError):
    """The process did not answer within the time limit and was killed."""


_ERRORS: Mapping[str, type[Exception]] = MappingProxyType(
    {
        "refused": BenchError,
        "absent": NoDeviceError,
        "crashed": WorkerCrashedError,
        "timed_out": WorkerTimedOutError,
        "failed": WorkerError,
    }
)


def result_of(outcome: str, value: Any) -> Any:
    """Return the value of an outcome that is `done`; raises the error that another one stands for.

    Others are refused, absent, crashed, timed_out and failed; the value is the error's text.
    """
    if outcome == "done":
        return value
    raise _ERRORS[outcome](value)


class Worker:
    """Calls methods of an object that lives in a fresh process.

    `factory` is the object's class as `module:Class`, or a module whose functions are called; it
    is imported there and not here.
    The process leads a process group, so that whatever it starts is paused and killed with it, and
    a Ctrl-C in the terminal reaches the suite alone. Its temporary files lie in a directory that
    is removed with it, and its output is discarded, except the last line in the error if it dies.
    If CPUs are named, it and what it starts run on those alone.
    """

    def __init__(
        self,
        factory: str,
        *args: Any,
        blocked_modules: tuple[str, ...] = (),
        cpus: frozenset[int] = frozenset(),
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        context = multiprocessing.get_context("spawn")
        where = _Surroundings(blocked_modules, cpus, dict(environment))
        self._last_words = ""
        self._scratch = TemporaryDirectory(
            prefix="mobilebench-", dir=scratch_root(), ignore_cleanup_errors=True
        )
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve,
            args=(theirs, self._scratch.name, where, factory, args),
            daemon=True,
        )
        _starter().submit(self._process.start).result()
        theirs.close()
        self.pid = self._process.pid or 0
        try:
            self._receive(START_LIMIT_S, f"{factory} starting")
        except BaseException:
            self.close()
            raise

    def call(self, method: str, *args: Any, timeout_s: float) -> Any:
        """Return what the object's method returns.

        Raises BenchError and NoDeviceError as the object raises them, WorkerError for any other
        error of the object, WorkerCrashedError and WorkerTimedOutError; after the last two the
        worker is gone.
        """
        try:
            self._connection.send((method, args))
        except OSError as error:
            self.close()
            raise WorkerCrashedError(self._cause_of_death()) from error
        return self._receive(timeout_s, method)

    def _receive(self, timeout_s: float, what: str) -> Any:
        ready = wait([self._connection, self._process.sentinel], timeout_s)
        if not ready:
            self.close()
            raise WorkerTimedOutError(f"no answer to {what} within {timeout_s:g} s; killed")
        try:
            outcome, value = self._connection.recv()
        except (EOFError, OSError) as error:
            self._process.join(_LAST_BREATH_S)  # it closed its end; wait for its exit code
            self.close()
            raise WorkerCrashedError(self._cause_of_death()) from error
        if outcome == "crashed":
            self.close()
        return result_of(outcome, value)

    def pause(self) -> None:
        """Stop the process group, so that no thread of it spins while another is measured."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let the process group go on."""
        self._signal(signal.SIGCONT)

    def finish(self) -> None:
        """Let the process end by itself, which removes what its libraries shared; else kill it."""
        self._connection.close()
        self._process.join(_FAREWELL_S)
        self.close()

    def close(self) -> None:
        """Kill the process group; does nothing the second time."""
        self._signal(signal.SIGKILL)
        self._process.join()
        self._connection.close()
        log = Path(self._scratch.name) / _LOG
        if log.exists():
            printed = log.read_text(errors="replace").strip().splitlines()
            self._last_words = printed[-1][:300] if printed else ""
        self._scratch.cleanup()

    @property
    def alive(self) -> bool:
        """Whether the process can still be called."""
        return not self._connection.closed and self._process.is_alive()

    def _signal(self, number: signal.Signals) -> None:
        if self._process.exitcode is None:
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:  # it does not lead its group yet
                psutil.Process(self.pid).send_signal(number)

    def _cause_of_death(self) -> str:
        code = self._process.exitcode or 0
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
        return f"the process {how}" + (f": {self._last_words}" if self._last_words else "")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


@cache
def _starter() -> ThreadPoolExecutor:
    """Return the thread that starts processes.

    Linux takes the thread that started a process for its parent, and one that has a worker started
    may end before the worker does (`die_with_parent`).
    """
    return ThreadPoolExecutor(1, "nursery")


@dataclass(frozen=True)
class _Surroundings:
    """What a process has, or has not, beside its object."""

    blocked_modules: tuple[str, ...]
    cpus: frozenset[int]  # on which alone it runs; none: on all
    environment: Mapping[str, str]  # variables beside those of the process that starts it

    def enter(self) -> None:
        """Make this process one that has them."""
        if self.cpus:
            os.sched_setaffinity(0, self.cpus)
        os.environ.update(self.environment)
        for name in self.blocked_modules:
            sys.modules[name] = None  # type: ignore[assignment]


def _serve(
    connection: Connection,
    scratch: str,
    where: _Surroundings,
    factory: str,
    args: tuple[Any, ...],
) -> None:
    """Answer calls until the other side goes away."""
    die_with_parent()
    multiprocessing.current_process().daemon = False  # it may have workers of its own
    os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["TMPDIR"] = tempfile.tempdir = scratch
    log = os.open(Path(scratch) / _LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    where.enter()

    def make() -> Any:
        module_name, _, class_name = factory.partition(":")
        module = importlib.import_module(module_name)
        return getattr(module, class_name)(*args) if class_name else module

    outcome, made = _attempt(make)
    connection.send((outcome, None if outcome == "done" else made))
    while outcome == "done":
        try:
            method, arguments = connection.recv()
        except EOFError:
            return
        connection.send(_attempt(getattr(made, method), *arguments))


def _attempt(compute: Callable[..., Any], *args: Any) -> tuple[str, Any]:
    try:
        return "done", compute(*args)
    except BenchError as error:
        return "refused", str(error)
    except NoDeviceError as error:
        return "absent", str(error)
    except DeviceLostError as error:
        return "crashed", str(error)
    except Exception as error:
        lines = (str(error).strip() or type(error).__name__).splitlines()
        return "failed", f"{type(error).__name__}: {lines[-1].strip()}"
