"""Assigns jobs to devices; jobs are prepared ahead, so that no device waits for its next one."""

import heapq
import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from mobilebench.targets.errors import BenchError

Item = TypeVar("Item")
Ready = TypeVar("Ready")
Result = TypeVar("Result")
_POLL_S = 1.0


@dataclass(frozen=True)
class Job(Generic[Item]):
    """A job, the key of the boards that may run it (empty: this machine), and its length.

    The length has no unit: it only orders jobs.
    """

    item: Item
    key: str
    length: float


@dataclass(frozen=True)
class Fleet:
    """The boards of a key and the state of their jobs."""

    boards: int  # registered at the tracker
    busy: int  # boards that run a job
    ready: int  # prepared jobs that wait for a board
    left: int  # jobs that are not prepared yet


class Dispatcher(Generic[Item, Ready, Result]):
    """Prepares and measures jobs, for each key as many at once as it has boards.

    The tracker decides which board a job gets. This machine measures its own jobs last, one after
    the other, when nothing else runs. The threads are daemons, and their workers are killed when
    the process ends.
    """

    def __init__(
        self,
        prepare: Callable[[Item], Ready],
        measure: Callable[[Ready], Result],
        boards: Callable[[str], int],
        max_workers: int,
    ) -> None:
        """Prepare at most `max_workers` jobs at once; `boards` returns how many boards a key has.

        `boards` may raise BenchError while the tracker is away: its last result is used then.
        """
        self._prepare = prepare
        self._measure = measure
        self._boards = boards
        self._max_workers = max_workers
        self._changed = threading.Condition()
        self._raw: list[Job[Item]] = []  # jobs to be prepared; the next one is last
        self._ready: dict[str, list[tuple[float, int, Ready]]] = defaultdict(list)
        self._busy: dict[str, int] = defaultdict(int)
        self._known: dict[str, int] = defaultdict(int)
        self._done: queue.Queue[Result | BaseException] = queue.Queue()
        self._counted = time.monotonic()
        self._preparing = 0
        self._closing = False

    def run(self, jobs: Sequence[Job[Item]]) -> Iterator[Result]:
        """Yield each job's result as soon as it is there; raises what a job raised."""
        self._raw = list(reversed(in_order(jobs)))
        own = [job.key for job in jobs].count("")
        for key in {job.key for job in jobs if job.key}:
            self._count(key)
        for _ in range(min(self._max_workers, len(jobs))):
            threading.Thread(target=self._prepare_all, daemon=True).start()
        try:
            for _ in range(len(jobs) - own):
                yield self._next()
            for _ in range(own):
                yield self._own()
        finally:
            with self._changed:
                self._closing = True
                self._changed.notify_all()

    def fleets(self) -> Mapping[str, Fleet]:
        """Return the state of each key's boards."""
        with self._changed:
            left = [job.key for job in self._raw]
            return {
                key: Fleet(count, self._busy[key], len(self._ready[key]), left.count(key))
                for key, count in self._known.items()
            }

    def _next(self) -> Result:
        """Wait for a board's result; boards that register meanwhile get jobs."""
        while True:
            if time.monotonic() > self._counted + _POLL_S:
                for key in list(self._known):
                    self._count(key)
                self._counted = time.monotonic()
            try:
                result = self._done.get(timeout=_POLL_S)
            except queue.Empty:
                continue
            if isinstance(result, BaseException):
                raise result
            return result

    def _own(self) -> Result:
        """Measure a job of this machine after all its jobs have been prepared."""
        with self._changed:
            while self._raw or not self._ready[""] or self._preparing:
                if not self._done.empty():  # a preparation has failed
                    break
                self._changed.wait(_POLL_S)
        if not self._done.empty():
            return self._next()
        _, _, ready = heapq.heappop(self._ready[""])
        return self._measure(ready)

    def _prepare_all(self) -> None:
        while True:
            with self._changed:
                if self._closing or not self._raw:
                    return
                job = self._raw.pop()
                number = len(self._raw)
                self._preparing += 1
            try:
                ready = self._prepare(job.item)
            except BaseException as error:
                self._done.put(error)
                ready = None
            with self._changed:
                self._preparing -= 1
                if ready is not None:
                    # This machine's jobs keep the order of the request.
                    first = -job.length if job.key else -number
                    heapq.heappush(self._ready[job.key], (first, -number, ready))
                self._changed.notify_all()
            if job.key:
                self._fill(job.key)

    def _count(self, key: str) -> None:
        with suppress(BenchError):
            self._known[key] = self._boards(key)
        self._known.setdefault(key, 0)
        self._fill(key)

    def _fill(self, key: str) -> None:
        """Start ready jobs on free boards; the first even without a board, to get the error."""
        with self._changed:
            while (
                self._ready[key]
                and self._busy[key] < max(1, self._known[key])
                and not self._closing
            ):
                self._busy[key] += 1
                _, _, ready = heapq.heappop(self._ready[key])
                threading.Thread(target=self._work, args=(key, ready), daemon=True).start()

    def _work(self, key: str, ready: Ready) -> None:
        """Measure one job after the other as long as the key has enough boards."""
        while True:
            try:
                result: Result | BaseException = self._measure(ready)
            except BaseException as error:
                result = error
            self._done.put(result)
            with self._changed:
                spare = self._busy[key] > max(1, self._known[key])
                if spare or not self._ready[key] or self._closing:
                    self._busy[key] -= 1
                    return
                _, _, ready = heapq.heappop(self._ready[key])


def in_order(jobs: Iterable[Job[Item]]) -> list[Job[Item]]:
    """Return jobs in the order in which they are prepared.

    Jobs of boards come first, those of this machine last and in the given order. Each key begins
    with its longest job, so that none is left for the end; keys alternate, so that every key's
    first job is ready soon.
    """
    by_key: dict[str, list[Job[Item]]] = defaultdict(list)
    for job in jobs:
        by_key[job.key].append(job)
    own = by_key.pop("", [])
    for queued in by_key.values():
        queued.sort(key=lambda job: -job.length)
    rounds = max(map(len, by_key.values()), default=0)
    turns = [q[number] for number in range(rounds) for q in by_key.values() if number < len(q)]
    return [*turns, *own]
