"""The progress of a run or a search, as the user sees it."""

import logging
import time
from collections.abc import Callable, Mapping
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

from mobilebench.bench.cli.events import EventLog
from mobilebench.bench.cli.waiting import Waiting
from mobilebench.bench.measure.dispatch import Fleet
from mobilebench.reports.records.record import Record
from mobilebench.schedules.precision import FLOAT32
from mobilebench.schedules.tuning.progress import SearchStep

logger = logging.getLogger("mobilebench")
_LOG_EVERY_S = 10.0
_EVENT_FIELDS = (  # fields of a record that the event log has; the store has all of them
    *("run_id", "variant", "target", "device", "runtime", "threads", "precision", "weights"),
    *("status", "error", "warnings", "retries", "latency_p50_ms"),
)


class _Screen:
    """A progress bar on a terminal, log lines elsewhere: the step, how far it is, the time left."""

    def __init__(self, console: Console, unit: str) -> None:
        self._console = console
        self._waiting = Waiting(self._still)
        self._bar = Bar(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(f"{unit},"),
            TimeElapsedColumn(),
            TextColumn("gone, about"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def say(self, what: str) -> None:
        """Show what is being done now."""
        for task in self._bar.task_ids[:1]:
            self._bar.update(task, description=what)
        if not self._console.is_terminal:
            logger.info("%s", what)

    def warn(self, what: str) -> None:
        """Show a warning."""
        self._print(f"warning: {what}", logging.WARNING)

    def _print(self, line: str, level: int = logging.INFO) -> None:
        if self._console.is_terminal:
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)
        else:
            logger.log(level, "%s", line)

    def _still(self, who: str, what: str, seconds: float) -> None:
        """Tell a step that takes long."""
        self._print(f"{who}: still waiting, for {seconds:.0f} s, for: {what}")

    def __enter__(self) -> Self:
        self._waiting.__enter__()
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()
        self._waiting.__exit__(*exception)


class RunDisplay(_Screen):
    """The progress of a run: on the screen or in a plain log, and in the event log."""

    def __init__(self, console: Console, events: EventLog) -> None:
        super().__init__(console, "rows")
        self._events = events
        self._done = self._total = 0
        self._fleets: Callable[[], Mapping[str, Fleet]] = dict
        self._lines: dict[str, TaskID] = {}  # the screen's line for the boards of each key
        self._over = False  # what an interruption leaves behind goes on or fails for a while

    def begin(self, rows: int) -> None:
        """Set how many records there will be."""
        self._total = rows
        self._events.write("begin", rows=rows)
        self._main = self._bar.add_task("starting", total=rows)

    def watch(self, fleets: Callable[[], Mapping[str, Fleet]]) -> None:
        """Show from now on how many boards are busy, in one line for each key."""
        self._fleets = fleets

    def say(self, what: str) -> None:
        """Show what is being done now."""
        super().say(what)
        self._show_fleets()

    def stage(self, cell: str, stage: str) -> None:
        """Show which step of a cell begins, unless the run is over."""
        if self._over:
            return
        self._events.write("stage", cell=cell, stage=stage)
        self._waiting.begin(cell, stage)
        self.say(f"{cell}: {stage}")

    def step(self, cell: str, what: str) -> None:
        """Note which part of a step begins; empty if nothing of the cell goes on."""
        if self._over:
            return
        self._waiting.begin(cell, what)
        if what and self._console.is_terminal:
            self.say(f"{cell}: {what}")

    def warn(self, what: str) -> None:
        """Show a warning, unless the run is over: what is killed then fails."""
        if self._over:
            return
        self._events.write("warning", text=what)
        super().warn(what)

    def done(self, record: Record) -> None:
        """Count a finished record and show it in one line."""
        self._done += 1
        fields = {name: getattr(record, name) for name in _EVENT_FIELDS}
        self._events.write("row", done=self._done, rows=self._total, **fields)
        self._bar.advance(self._main)
        counted = "" if self._console.is_terminal else f"[{self._done}/{self._total}] "
        at_once = f" x {record.streams}" if record.streams > 1 else ""
        at_once += f", batch {record.batch}" if record.batch > 1 else ""
        half = f"{record.precision}  " if record.precision != FLOAT32 else ""
        self._print(
            f"{counted}{record.variant:<26} {record.runtime:<12} {record.threads} thr{at_once}  "
            f"{half}{_outcome(record)}"
        )
        self._show_fleets()

    def leave(self) -> None:
        """Show nothing more of what goes on: the run was interrupted."""
        self._over = True

    def _still(self, who: str, what: str, seconds: float) -> None:
        """Tell a step that takes long."""
        self._events.write("waiting", cell=who, step=what, seconds=round(seconds))
        super()._still(who, what, seconds)

    def __exit__(self, *exception: object) -> None:
        self.leave()
        super().__exit__(*exception)

    def _show_fleets(self) -> None:
        if not self._console.is_terminal:
            return
        for key, fleet in self._fleets().items():
            if key not in self._lines:
                self._lines[key] = self._bar.add_task(key, total=None)
            done = f"{fleet.busy} of {fleet.boards} boards busy, {fleet.ready} jobs ready"
            self._bar.update(
                self._lines[key], description=f"{key}: {done}, {fleet.left} to prepare"
            )


class TuningDisplay(_Screen):
    """The progress of a search: kernels and trials, the best tile so far, and the time left."""

    def __init__(self, console: Console, title: str) -> None:
        super().__init__(console, "done")
        self._title = title
        self._bar.add_task(title, total=None)
        self._began = time.monotonic()
        self._first: int | None = (
            None  # trials that were already done when the search began or was resumed
        )
        self._logged = 0.0

    def say(self, what: str) -> None:
        """Show what is being done now."""
        super().say(what)
        self._waiting.begin(self._title, what)

    def step(self, step: SearchStep) -> None:
        """Show the result of a step of the search."""
        self._waiting.begin(self._title, f"candidates of another kernel, after {step.kernel}")
        if self._first is None:
            self._began, self._first = time.monotonic(), step.done
        what = f"{self._title}: {step.kernel}: {_gain(step)}"
        for task in self._bar.task_ids:
            self._bar.update(task, description=what, completed=step.done, total=step.total)
        if not self._console.is_terminal and time.monotonic() > self._logged + _LOG_EVERY_S:
            self._logged = time.monotonic()
            logger.info("[%d/%d] %s%s", step.done, step.total, what, self._left(step))

    def _left(self, step: SearchStep) -> str:
        made = step.done - (self._first or 0)
        if not made:
            return ""
        seconds = (time.monotonic() - self._began) / made * (step.total - step.done)
        minutes = round(seconds / 60)
        return f"; about {minutes} min left" if minutes else "; less than a minute left"


def _gain(step: SearchStep) -> str:
    if step.best_microseconds is None or step.default_microseconds is None:
        return "nothing measured yet"
    return f"best {step.best_microseconds:.1f} us, default {step.default_microseconds:.1f} us"


def _outcome(record: Record) -> str:
    if record.status != "ok":
        return f"{record.status}: {record.error}"
    interval = f"[{record.latency_ci95_low_ms:.3f}, {record.latency_ci95_high_ms:.3f}]"
    noisy = f"  ({record.warnings})" if record.warnings else ""
    return f"{record.latency_p50_ms:9.3f} ms {interval}{noisy}"
