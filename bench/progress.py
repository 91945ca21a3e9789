"""What a user sees of a run while it goes on."""

import logging
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

from reports.record import Record

logger = logging.getLogger("mobilebench")


class Progress:
    """A bar on a terminal, lines of log elsewhere: what is done, how far it is, how long yet."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Bar(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("rows,"),
            TimeElapsedColumn(),
            TextColumn("gone, about"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._done = self._total = 0

    def begin(self, rows: int) -> None:
        """Say how many records there will be."""
        self._total = rows
        self._task = self._bar.add_task("starting", total=rows)

    def say(self, what: str) -> None:
        """Say what is being done now."""
        if self._task is not None:
            self._bar.update(self._task, description=what)
        if not self._console.is_terminal:
            logger.info("%s", what)

    def done(self, record: Record) -> None:
        """Count a finished record and show it in one line."""
        self._done += 1
        if self._task is not None:
            self._bar.advance(self._task)
        line = f"{record.variant:<26} {record.runtime:<12} {record.threads} thr  {_outcome(record)}"
        if self._console.is_terminal:
            self._console.print(line, highlight=False, markup=False)
        else:
            logger.info("[%d/%d] %s", self._done, self._total, line)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._bar.stop()


def _outcome(record: Record) -> str:
    if record.status != "ok":
        return f"{record.status}: {record.error}"
    interval = f"[{record.latency_ci95_low_ms:.3f}, {record.latency_ci95_high_ms:.3f}]"
    noisy = f"  ({record.warnings})" if record.warnings else ""
    return f"{record.latency_p50_ms:9.3f} ms {interval}{noisy}"
