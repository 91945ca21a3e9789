"""The newest rows of a store, found by its indices however many older ones there are."""

from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from mobilebench.reports.records.database import StoreDatabase
from mobilebench.reports.records.record import COLUMNS, Record
from mobilebench.reports.records.schema import CELL, CONFIRMATIONS, EXAMINED, KERNELS, RECORDS

_ROWS_AT_ONCE = 500
_NETWORK = ("variant", "weights", "precision", "runtime")


def count_written(database: StoreDatabase, run_ids: Sequence[str]) -> tuple[int, int]:
    """Return how many records and how many confirmations runs have: neither ever gets less."""
    counted = (
        sa.select(sa.func.count()).select_from(table).where(table.c.run_id.in_(run_ids))
        for table in (RECORDS, CONFIRMATIONS)
    )
    records, confirmations = (int(database.ask(one)[0][0]) for one in counted)
    return records, confirmations


def targets_of(database: StoreDatabase) -> list[str]:
    """Return the targets that have rows, by name.

    Each is found in the index behind the one before it: as quick as there are few of them.
    """
    found: list[str] = []
    smallest = sa.select(sa.func.min(RECORDS.c.target))
    while True:
        further = smallest.where(RECORDS.c.target > found[-1]) if found else smallest
        ((name,),) = database.ask(further)
        if name is None:
            return found
        found.append(str(name))


def newest_of_target(database: StoreDatabase, target: str) -> list[tuple[int, Record]]:
    """Return the newest row of every cell of a target, whatever its status, with its number.

    They are in the order in which they were written.
    """
    newest = sa.select(sa.func.max(RECORDS.c.id)).where(RECORDS.c.target == target)
    return _numbered(database, newest.group_by(*(RECORDS.c[name] for name in CELL)))


def newest_with_kernels(database: StoreDatabase, target: str) -> list[tuple[int, Record]]:
    """Return the newest row of every cell of a target whose kernels were timed, with its number."""
    newest = (
        sa.select(sa.func.max(RECORDS.c.id))
        .join_from(RECORDS, KERNELS)
        .where(RECORDS.c.target == target)
    )
    return _numbered(database, newest.group_by(*(RECORDS.c[name] for name in CELL)))


def newest_examined(database: StoreDatabase) -> list[Record]:
    """Return the newest row with an accuracy of every network, precision and runtime.

    They are in the order in which they were written.
    """
    newest = sa.select(sa.func.max(RECORDS.c.id)).where(EXAMINED)
    found = _numbered(database, newest.group_by(*(RECORDS.c[name] for name in _NETWORK)))
    return [record for _, record in found]


def _numbered(database: StoreDatabase, ids: sa.Select[tuple[int]]) -> list[tuple[int, Record]]:
    wanted = sorted(number for (number,) in database.ask(ids))
    return [
        (row[0], Record(**dict(zip(COLUMNS, row[1:], strict=True))))
        for some in _pieces(wanted)
        for row in database.ask(_rows(some))
    ]


def _rows(ids: Sequence[int]) -> sa.Select[tuple[int]]:
    columns = (RECORDS.c.id, *(RECORDS.c[name] for name in COLUMNS))
    return sa.select(*columns).where(RECORDS.c.id.in_(ids)).order_by(RECORDS.c.id)


def _pieces(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), _ROWS_AT_ONCE):
        yield ids[start : start + _ROWS_AT_ONCE]
