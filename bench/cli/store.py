"""`mobilebench store`: all of a store as a directory of Parquet files, and back."""

import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from mobilebench.reports.records.store import Store
from mobilebench.reports.records.transfer import check_export, export_store, import_store

_TELL_EVERY_S = 10.0  # where there is no terminal

Transfer = Callable[[Store, Path, Callable[[int], None]], dict[str, int]]


def dump_command(store_url: str, out: Path) -> None:
    """Write a store into a new directory; raises ReportError if that fails."""
    with Store(store_url, create=False) as store:
        total = sum(rows for rows, _ in store.tally().values())
        written = _watched(f"of {total} rows written", export_store, store, out)
    print(f"{out}: {_listed(written)}")


def load_command(store_url: str, directory: Path) -> None:
    """Add the rows of a dump that a store lacks; raises ReportError if the directory is no dump."""
    check_export(directory)
    with Store(store_url) as store:
        added = _watched("rows read", import_store, store, directory)
        print(f"{store.url}: added {_listed(added)}; all other rows were in the store already")


def _watched(what: str, transfer: Transfer, store: Store, directory: Path) -> dict[str, int]:
    console, rows, told_at = Console(stderr=True), 0, time.monotonic()
    with console.status(what) as status:

        def tell(more: int) -> None:
            nonlocal rows, told_at
            rows += more
            status.update(f"{rows} {what}")
            if not console.is_terminal and time.monotonic() - told_at > _TELL_EVERY_S:
                told_at = time.monotonic()
                console.print(f"{rows} {what}", highlight=False)

        return transfer(store, directory, tell)


def _listed(rows: dict[str, int]) -> str:
    return ", ".join(f"{count} {table}" for table, count in rows.items())
