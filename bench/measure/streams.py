"""Several processes of one runtime that run at once, each on CPUs of its own."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import reduce
from itertools import chain
from types import MappingProxyType
from typing import Any

from mobilebench.targets.errors import BenchError
from mobilebench.targets.processes.cpu_allowance import own_cpus, usable_cpus
from mobilebench.targets.processes.worker import Worker


def cpus_of_streams(streams: int, threads: int) -> list[frozenset[int]]:
    """Return the CPUs of each stream, as many as it has threads; no CPU is in two of them.

    Raises BenchError if this process may use too few.
    """
    needed, there = streams * threads, usable_cpus()
    if needed > there:
        of_each = "1 thread" if threads == 1 else f"{threads} threads"
        raise BenchError(
            f"{streams} streams of {of_each} need {needed} CPUs, and this process may use {there}; "
            "give fewer --streams or --threads"
        )
    cpus = sorted(own_cpus())
    return [frozenset(cpus[first : first + threads]) for first in range(0, needed, threads)]


class StreamGroup:
    """The processes of a runtime, called at the same time as if they were one.

    Of samples all are returned, of memory the sum, of a warm-up the slowest; else what the first
    process returns.
    """

    def __init__(self, start: Callable[[frozenset[int]], Worker], cpus: Sequence[frozenset[int]]):
        """Start a process for each set of CPUs; raises what `start` raises."""
        self._workers: list[Worker] = []
        try:
            for own in cpus:
                self._workers.append(start(own))
                self._workers[-1].pause()
            self.resume()
        except BaseException:
            self.close()
            raise

    def call(self, method: str, *args: Any, timeout_s: float) -> Any:
        """Return what the processes return together; raises as `Worker.call` does."""
        with ThreadPoolExecutor(len(self._workers)) as callers:
            asked = [
                callers.submit(one.call, method, *args, timeout_s=timeout_s)
                for one in self._workers
            ]
        answers = [one.result() for one in asked]
        return _TOGETHER[method](answers) if method in _TOGETHER else answers[0]

    def pause(self) -> None:
        """Stop the processes that are alive."""
        for one in self._workers:
            if one.alive:
                one.pause()

    def resume(self) -> None:
        """Let them go on."""
        for one in self._workers:
            if one.alive:
                one.resume()

    def close(self) -> None:
        """End all; does nothing the second time."""
        for one in self._workers:
            one.close()

    @property
    def alive(self) -> bool:
        """Whether all can still be called."""
        return all(one.alive for one in self._workers)


_TOGETHER: Mapping[str, Callable[[list[Any]], Any]] = MappingProxyType(
    {
        "time": lambda answers: list(chain.from_iterable(answers)),
        "warm_up": max,
        "usage": lambda answers: reduce(lambda one, other: one + other, answers),
    }
)
