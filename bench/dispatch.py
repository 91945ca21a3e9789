"""Jobs on the boards of farms: at once as many of a key as it has boards."""

import queue
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Generic, TypeVar

from targets.errors import BenchError

Result = TypeVar("Result")
_POLL_S = 1.0


class Dispatcher(Generic[Result]):
    """Runs each job in a thread of its own as soon as its key has a board for it.

    Which board it gets is the tracker's decision. Threads end with the process: their workers are
    killed with it.
    """

    def __init__(self, boards: Callable[[str], int]) -> None:
        """`boards` tells how many boards a key has now; it may raise BenchError."""
        self._boards = boards
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[Callable[[], Result]]] = defaultdict(deque)
        self._running: dict[str, int] = defaultdict(int)
        self._known: dict[str, int] = defaultdict(int)  # boards, when they could be asked for last
        self._done: queue.Queue[Result | BaseException] = queue.Queue()
        self.open = 0  # jobs whose results were not handed out yet

    def submit(self, key: str, job: Callable[[], Result]) -> None:
        """Have a job run on a board of a key."""
        self.open += 1
        with self._lock:
            self._waiting[key].append(job)
        self._fill(key)

    def results(self, *, wait: bool) -> Iterator[Result]:
        """Yield what is done; with `wait`, until all is. Raises what a job raised."""
        while self.open:
            try:
                result = self._done.get(timeout=_POLL_S if wait else 0.0)
            except queue.Empty:
                if not wait:
                    return
                for key in list(self._waiting):
                    self._fill(key)  # boards may have come
                continue
            self.open -= 1
            if isinstance(result, BaseException):
                raise result
            yield result

    def _fill(self, key: str) -> None:
        """Start waiting jobs while there are boards; the first always, to find out why not."""
        with suppress(BenchError):  # while the tracker is away, what it said last holds
            self._known[key] = self._boards(key)
        with self._lock:
            while self._waiting[key] and self._running[key] < max(1, self._known[key]):
                self._running[key] += 1
                job = self._waiting[key].popleft()
                threading.Thread(target=self._run, args=(key, job), daemon=True).start()

    def _run(self, key: str, job: Callable[[], Result]) -> None:
        try:
            result: Result | BaseException = job()
        except BaseException as error:
            result = error
        with self._lock:
            self._running[key] -= 1
        self._done.put(result)
        self._fill(key)
