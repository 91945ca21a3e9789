"""The event log of a run: a file of JSON lines for other programs."""

import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Self

from mobilebench.targets.errors import BenchError


class EventLog:
    """Appends one line for each event, in a single write, so that `tail -f` may follow it.

    Each line is an object with `at` (UTC, ISO 8601, to the millisecond), `event`, and the fields of
    that event, which docs/reference/events.md lists. Threads may share it.
    """

    def __init__(self, path: Path | None) -> None:
        """Open the file; None writes nothing. Raises BenchError if it cannot be opened."""
        self._lock = threading.Lock()
        self._file: IO[str] | None = None
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a", buffering=1, encoding="utf-8")
        except OSError as error:
            raise BenchError(
                f"event log {path}: {error.strerror}; give --events a file that can be written"
            ) from error

    def write(self, event: str, **what: Any) -> None:
        """Append an event; if the disk is full, the line is lost and the run goes on."""
        if self._file is None:
            return
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"at": at, "event": event, **what})
        with self._lock:
            try:
                self._file.write(line + "\n")
            except OSError:
                self._file = None

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
