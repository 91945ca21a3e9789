"""Which tile tuning found for a kernel, with a count of hits and misses."""

from collections.abc import Sequence
from typing import Any

from mobilebench.schedules.databases.database import Entry, TileDatabase
from mobilebench.schedules.templates.task import Task


class Lookup:
    """Answers from the first database that knows a kernel."""

    def __init__(self, databases: Sequence[TileDatabase] = (), threads: int = 1) -> None:
        """Use the entries for so many threads; with no databases nothing counts as a miss."""
        self.hits = self.misses = 0
        self.trials = 0  # most candidates that were measured for one of the hits
        self._expected = bool(databases)
        self._entries: dict[str, Entry] = {}
        for database in reversed(databases):
            self._entries |= {e.kernel: e for e in database.entries if e.threads == threads}

    def tile(self, task: Task) -> Any | None:
        """Return the best known tile; None for the template's default.

        A tile that its template has outgrown is a miss.
        """
        entry, tile = self._entries.get(task.key), None
        if entry is not None and entry.tile is not None:
            try:
                tile = task.template.Tile(**entry.tile)
            except TypeError:
                entry = None
        if entry is None:
            self.misses += self._expected
            return None
        self.hits += 1
        self.trials = max(self.trials, entry.trials)
        return tile
