"""A runtime's process on a board, as if it were a worker on this machine."""

from contextlib import suppress
from typing import Any

from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.worker import (
    Worker,
    WorkerCrashedError,
    WorkerError,
    WorkerTimedOutError,
    result_of,
)

_FOR_TRANSFERS = 2  # times the limit: what is sent there and back takes its time as well
_SIGNAL_LIMIT_S = 60.0


class BoardWorker:
    """Calls methods of a runtime on a board, through the process that holds the session."""

    def __init__(self, session: Worker, name: str, timeout_s: float) -> None:
        """Start the runtime's process.

        Raises BenchError if the board has no such runtime, and what `call` raises.
        """
        self._session = session
        self._name = name
        self._ended = False
        self.version: str = self._result("start_runtime", timeout_s, timeout_s=timeout_s)

    def call(self, method: str, *args: Any, timeout_s: float) -> Any:
        """Return what the runtime's method returns; raises as `Worker.call` does."""
        return self._result("ask_runtime", method, args, timeout_s, timeout_s=timeout_s)

    def pause(self) -> None:
        """Stop the process on the board."""
        self._tell("pause_runtime")

    def resume(self) -> None:
        """Let the process on the board go on."""
        self._tell("resume_runtime")

    def close(self) -> None:
        """End the process on the board; it would end with the session in any case."""
        self._tell("stop_runtime")
        self._ended = True

    @property
    def alive(self) -> bool:
        """Whether the process can still be called."""
        return not self._ended and self._session.alive

    def _result(self, method: str, *args: Any, timeout_s: float) -> Any:
        if not self._session.alive:
            raise WorkerCrashedError("the session on the board has ended")
        limit_s = _FOR_TRANSFERS * timeout_s
        self._session.resume()
        try:
            return result_of(*self._session.call(method, self._name, *args, timeout_s=limit_s))
        except (WorkerCrashedError, WorkerTimedOutError):
            self._ended = True
            raise

    def _tell(self, method: str) -> None:
        """Call a method that returns nothing; who calls the runtime next hears what is wrong."""
        if self.alive:
            self._session.resume()
            with suppress(BenchError, WorkerError):
                self._session.call(method, self._name, timeout_s=_SIGNAL_LIMIT_S)
