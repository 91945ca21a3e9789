"""Pools of workers that are kept from call to call, on this machine or on others."""

import queue
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol, Self

from mobilebench.targets.processes.worker import Worker

_ENVIRONMENT = MappingProxyType({"OMP_WAIT_POLICY": "passive"})
"""Each worker has as many threads as there are processors. If they spin while they wait, those that
they wait for do not get to run: two processes of PyTorch then took many times as long."""


class WorkerPool(Protocol):
    """Computes calls, at most `max_workers` at once; each caller waits for its own result."""

    @property
    def max_workers(self) -> int:
        """How many calls are computed at once."""
        ...

    def call(self, factory: str, method: str, *args: Any, timeout_s: float) -> Any:
        """Return what the method of the object, or the function of the module, returns.

        The time limit begins when a worker is free. Raises what `Worker.call` raises.
        """
        ...

    def close(self, *, at_once: bool = False) -> None:
        """End it."""
        ...


class LocalWorkerPool:
    """Processes of this machine, at most `max_workers` for each factory.

    Each process imports its modules once. A process that died or hung is replaced.
    """

    def __init__(
        self, max_workers: int, blocked: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    ) -> None:
        """`blocked` are the modules that the processes of a factory must not import."""
        self._max_workers = max_workers
        self._blocked = blocked
        self._idle: queue.LifoQueue[dict[str, Worker]] = queue.LifoQueue()
        self._places: list[dict[str, Worker]] = [{} for _ in range(max_workers)]
        for place in reversed(self._places):
            self._idle.put(place)
        self._computing: set[Worker] = set()

    @property
    def max_workers(self) -> int:
        """How many calls are computed at once."""
        return self._max_workers

    def call(self, factory: str, method: str, *args: Any, timeout_s: float) -> Any:
        """Return what the method of the factory's object returns; see WorkerPool."""
        place = self._idle.get()
        try:
            worker = place.get(factory)
            if worker is None or not worker.alive:
                blocked = self._blocked.get(factory, ())
                worker = Worker(factory, blocked_modules=blocked, environment=_ENVIRONMENT)
                place[factory] = worker
            self._computing.add(worker)
            result = worker.call(method, *args, timeout_s=timeout_s)
            self._computing.discard(worker)
            return result
        finally:
            self._idle.put(place)

    def close(self, *, at_once: bool = False) -> None:
        """End the processes: by themselves, or at once what is computing.

        One that is killed leaves its semaphores to Python's resource tracker.
        """
        for place in self._places:
            for worker in place.values():
                if worker.alive and not (at_once and worker in self._computing):
                    worker.finish()
                worker.close()
            place.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_exception: object) -> None:
        self.close(at_once=kind is not None)
