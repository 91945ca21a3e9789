"""Tells what is being waited for when a step takes long."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

FIRST_S = 30.0  # after which a step is mentioned; then after twice that, and so on
_POLL_S = 1.0


@dataclass
class _Step:
    what: str
    began: float  # monotonic, in seconds
    tell_after_s: float = field(default_factory=lambda: FIRST_S)


class Waiting:
    """The steps that are going on, of which those that take long are told while it is entered."""

    def __init__(self, tell: Callable[[str, str, float], None]) -> None:
        """Call `tell` with who takes long, with what, and for how many seconds already."""
        self._tell = tell
        self._steps: dict[str, _Step] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def begin(self, who: str, what: str) -> None:
        """Note that a step begins, which ends the one before; `what` is empty if none follows."""
        with self._lock:
            self._steps.pop(who, None)
            if what:
                self._steps[who] = _Step(what, time.monotonic())

    def overdue(self, now: float) -> list[tuple[str, str, float]]:
        """Return the steps to be told at a time (monotonic, in seconds), ever less often."""
        found = []
        with self._lock:
            for who, step in self._steps.items():
                seconds = now - step.began
                if seconds >= step.tell_after_s:
                    found.append((who, step.what, seconds))
                    while step.tell_after_s <= seconds:
                        step.tell_after_s *= 2
        return found

    def _watch(self) -> None:
        while not self._ended.wait(_POLL_S):
            for step in self.overdue(time.monotonic()):
                self._tell(*step)

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ended.set()
