"""A whole store as a directory of Parquet files, and back into a store of any kind."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc

from mobilebench.reports.errors import ReportError
from mobilebench.reports.records.database import storable
from mobilebench.reports.records.parquet import (
    LAYOUTS,
    ROWS_AT_ONCE,
    Layout,
    Row,
    import_pyarrow,
    read_file,
    write_file,
)
from mobilebench.reports.records.schema import (
    ACTIVATIONS,
    CALIBRATIONS,
    CONFIRMATION_KEY,
    CONFIRMATIONS,
    KERNELS,
    KEY,
    RUNS,
    SAMPLES,
    TRACES,
)
from mobilebench.reports.records.store import Store

_BESIDE = {
    "rounds_ms": SAMPLES,
    "kernels": KERNELS,
    "activations": ACTIVATIONS,
    "trace": TRACES,
    "calibrations": CALIBRATIONS,
}
_COLLISIONS = 5  # with others that import the same at the same moment

Told = Callable[[int], None]
"""Hears how many more rows are done."""


def export_store(store: Store, out: Path, tell: Told = lambda _rows: None) -> dict[str, int]:
    """Write all of a store into a new directory and return how many rows each table has.

    It appears when it is complete; what is written into the store meanwhile may be in it or not.
    Raises ReportError if `out` is there already or cannot be written.
    """
    import_pyarrow()
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ReportError(f"{out}: is there already; give a directory that is not")
    scratch = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        rows = {}
        for layout in reversed(LAYOUTS):  # runs come last: none of a record's is missing then
            pieces = _counted(_read_table(store, layout), tell)
            rows[layout.table.name] = write_file(scratch, layout, pieces)
        rows = {layout.table.name: rows[layout.table.name] for layout in LAYOUTS}
        scratch.chmod(0o755)  # others may read it, as they may any directory that is made
        scratch.rename(out)
    except OSError as error:
        raise ReportError(f"{out}: {error.strerror or error}; give another directory") from error
    finally:
        if scratch:
            shutil.rmtree(scratch, ignore_errors=True)
    return rows


def check_export(directory: Path) -> None:
    """Raise ReportError if a directory is no export, as far as the head of each file tells."""
    for layout in LAYOUTS:
        next(read_file(directory, layout), None)


def import_store(store: Store, directory: Path, tell: Told = lambda _rows: None) -> dict[str, int]:
    """Add what a store lacks of an export, and return how many rows of each table that were.

    What the store has already stays as it is; nothing is added twice. Raises ReportError if the
    directory is no export; rows that were added before a damaged one stay, each whole.
    """
    check_export(directory)
    added = {}
    for layout in LAYOUTS:
        pieces = _counted(read_file(directory, layout), tell)
        added[layout.table.name] = sum(_add(store, layout, piece) for piece in pieces)
    return added


def _counted(pieces: Iterator[list[Row]], tell: Told) -> Iterator[list[Row]]:
    for piece in pieces:
        yield piece
        tell(len(piece))


def _read_table(store: Store, layout: Layout) -> Iterator[list[Row]]:
    table = layout.table
    order = table.c.id if "id" in table.c else table.c.run_id
    source: sa.FromClause = table
    for name in layout.beside:
        other = _BESIDE[name]
        source = source.outerjoin(other, other.c.record_id == table.c.id)
    beside = [_BESIDE[name].c[name] for name in layout.beside]
    query = sa.select(table, *beside).select_from(source).order_by(order).limit(ROWS_AT_ONCE)
    last: Any = None
    while True:
        rows = store.database.ask(query if last is None else query.where(order > last))
        if not rows:
            return
        last = getattr(rows[-1], order.name)
        yield [{n: v for n, v in row._asdict().items() if n != "id"} for row in rows]


def _add(store: Store, layout: Layout, rows: list[Row]) -> int:
    rows = [{name: storable(value) for name, value in row.items()} for row in rows]
    for attempt in range(_COLLISIONS):
        try:
            return store.database.write(
                lambda connection, _: _add_missing(connection, layout, rows)
            )
        except ReportError as error:
            collided = isinstance(error.__cause__, exc.IntegrityError)
            if not collided or attempt == _COLLISIONS - 1:
                raise
    raise AssertionError("not reached")


def _add_missing(connection: sa.Connection, layout: Layout, rows: Sequence[Row]) -> int:
    """Insert those rows whose key the table lacks, with what they have beside it."""
    table = layout.table
    key = _key(table)
    runs = {row["run_id"] for row in rows}
    query = sa.select(*(table.c[name] for name in key)).where(table.c.run_id.in_(runs))
    known = {tuple(found) for found in connection.execute(query)}
    new = [row for row in rows if tuple(row[name] for name in key) not in known]
    if not new:
        return 0
    own = [{n: v for n, v in row.items() if n not in layout.beside} for row in new]
    if not layout.beside:
        connection.execute(table.insert(), own)
        return len(new)
    insert = table.insert().returning(table.c.id, sort_by_parameter_order=True)
    ids = connection.scalars(insert, own).all()
    for name in layout.beside:
        beside = [
            {"record_id": record_id, name: row[name]}
            for record_id, row in zip(ids, new, strict=True)
            if row.get(name)
        ]
        if beside:
            connection.execute(_BESIDE[name].insert(), beside)
    return len(new)


def _key(table: sa.Table) -> tuple[str, ...]:
    if table is RUNS:
        return ("run_id",)
    return CONFIRMATION_KEY if table is CONFIRMATIONS else KEY
