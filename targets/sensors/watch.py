"""Reads files of this machine again and again, while something else computes."""

import threading
import time
from collections.abc import Sequence
from typing import Protocol, Self

from mobilebench.targets.sensors.files import Files, number_in
from mobilebench.targets.sensors.power import Reading


class Watch(Protocol):
    """Something that is read again and again, until it is closed."""

    def take(self) -> list[Reading]:
        """Return what was read since it was asked the last time."""
        ...

    def close(self) -> None:
        """Read no more."""
        ...


class LocalWatch:
    """A thread that reads files of this machine."""

    def __init__(self, files: Files, paths: Sequence[str], period_s: float) -> None:
        self._files, self._paths, self._period_s = files, tuple(paths), period_s
        self._readings: list[Reading] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def take(self) -> list[Reading]:
        """Return what was read since it was asked the last time."""
        with self._lock:
            taken, self._readings = self._readings, []
        return taken

    def close(self) -> None:
        """Read no more."""
        self._closing.set()
        self._thread.join()

    def _read(self) -> None:
        while True:
            found = {path: number_in(self._files, path) for path in self._paths}
            known = {path: value for path, value in found.items() if value is not None}
            with self._lock:
                self._readings.append(Reading(time.monotonic(), known))
            if self._closing.wait(self._period_s):
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
