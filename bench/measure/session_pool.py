"""A pool of processes that hold sessions to boards, used for one cell after the other."""

import queue
from typing import Self

from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.worker import WITHOUT_TORCH, Worker, WorkerError

_SESSION = "mobilebench.bench.runtimes.board_session:BoardSession"


class SessionPool:
    """Workers that open sessions, one after the other; each imports TVM once.

    Threads may share a pool.
    """

    def __init__(self) -> None:
        self._idle: queue.LifoQueue[Worker] = queue.LifoQueue()

    def take(self, cpus: frozenset[int] = frozenset()) -> Worker:
        """Return a worker without a session: an idle one or a new one, which may have own CPUs."""
        while True:
            try:
                session = self._idle.get_nowait()
            except queue.Empty:
                return Worker(_SESSION, blocked_modules=WITHOUT_TORCH, cpus=cpus)
            if session.alive:
                return session

    def give_back(self, session: Worker, time_limit_s: float) -> None:
        """End a worker's session and keep the worker; kill the worker if that fails."""
        try:
            session.resume()
            session.call("release", timeout_s=time_limit_s)
            self._idle.put(session)
        except (BenchError, WorkerError):
            session.close()

    def close(self) -> None:
        """End all idle workers."""
        while not self._idle.empty():
            self._idle.get_nowait().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
