"""A report that follows a store: it is written anew when there are new rows."""

import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mobilebench.reports.counting import counted
from mobilebench.reports.errors import ReportError
from mobilebench.reports.pages.rendering import render
from mobilebench.reports.pages.report_page import write_report
from mobilebench.reports.pages.site import PAGE
from mobilebench.reports.records.newest import count_written
from mobilebench.reports.records.store import Store

_HEAD_ENDS, _MAIN_BEGINS = "</head>", "<main>"


@dataclass(frozen=True)
class LiveState:
    """What a page that is open compares itself with."""

    version: str  # another one after each change
    said: str  # for people


class LiveReport:
    """The report of some runs, kept up to date in a directory of its own.

    One thread refreshes it; others may read files and the state meanwhile.
    """

    def __init__(self, store: Store, run_names: Sequence[str], directory: Path) -> None:
        """Follow runs by their names; `latest` is whichever is the newest at the time."""
        self._store, self._names, self._directory = store, run_names, directory
        self._session = secrets.token_hex(4)  # pages of an earlier server are never of this one
        self._written: tuple[object, ...] = ()
        self._lock = threading.Lock()
        self._state = LiveState(f"{self._session}-0", "No rows yet")

    @property
    def state(self) -> LiveState:
        """The state of the pages as they are in the directory."""
        with self._lock:
            return self._state

    def refresh(self) -> bool:
        """Write the report if the store has more than last time; return whether it had.

        Raises ReportError if the store cannot be read, and OSError or ReportError if the report
        cannot be written.
        """
        try:
            found = [self._store.find_run(name).run_id for name in self._names]
        except ReportError:
            if self._store.runs():  # it is the name that is wrong
                raise
            return False
        run_ids = list(dict.fromkeys(found))
        rows, confirmations = count_written(self._store.database, run_ids)
        written = (*run_ids, rows, confirmations)
        if written == self._written or not rows:
            return False
        write_report(self._store, run_ids, self._directory)
        self._written = written
        at = datetime.now(UTC)
        said = f"{counted(rows, 'row')} of run {', '.join(run_ids)}, at {at:%H:%M:%S} UTC"
        with self._lock:
            number = int(self._state.version.rpartition("-")[2]) + 1
            self._state = LiveState(f"{self._session}-{number}", said)
        return True

    def page(self, name: str) -> str | None:
        """Return a page of the report that reloads itself when there are new rows.

        Before the first rows that is a page which says so; None if there is no page of that name.
        """
        state = self.state
        path = self._directory / name
        if path.is_file():
            html = path.read_text(encoding="utf-8")
        elif name == PAGE:
            html = render("waiting")
        else:
            return None
        head, body = render("live_head"), render("live", state=state, name=name)
        html = html.replace(_HEAD_ENDS, f"{head}{_HEAD_ENDS}", 1)
        return html.replace(_MAIN_BEGINS, f"{_MAIN_BEGINS}{body}", 1)

    def file(self, name: str) -> bytes | None:
        """Return another file of the report; None if there is none of that name."""
        path = self._directory / name
        return path.read_bytes() if path.parent == self._directory and path.is_file() else None
