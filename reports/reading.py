"""Columns of very many records as a frame, without holding the records."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from reports.database import Database
from reports.schema import RECORDS

_ROWS_AT_ONCE, _RUNS_AT_ONCE = 50_000, 20


def read_frame(
    database: Database,
    columns: Sequence[str],
    run_ids: Sequence[str] | None,
    statuses: Sequence[str] | None,
) -> pd.DataFrame:
    """Return columns of the records of those runs, or of all: see Store.frame."""
    asked = [RECORDS.c.id, *(RECORDS.c[name] for name in columns)]
    query = sa.select(*asked).order_by(RECORDS.c.id)
    if statuses is not None:
        query = query.where(RECORDS.c.status.in_(statuses))
    chunks = _all(database, query) if run_ids is None else _of_runs(database, query, run_ids)
    known: dict[str, str] = {}  # one string for all that are equal: most columns have few
    parts: list[list[Any]] = [[np.empty(0, _dtype(column))] for column in asked]
    for rows in chunks:
        for column, part, values in zip(asked, parts, zip(*rows, strict=True), strict=True):
            text = isinstance(column.type, sa.String)
            cells = [known.setdefault(value, value) for value in values] if text else values
            part.append(np.array(cells, _dtype(column)))
    ids, *arrays = (_joined(part, column) for part, column in zip(parts, asked, strict=True))
    frame = pd.DataFrame(
        dict(zip(columns, arrays, strict=True)), index=pd.Index(ids, name="record_id")
    )
    return frame if frame.index.is_monotonic_increasing else frame.sort_index()


def _all(database: Database, query: sa.Select[Any]) -> Iterator[Sequence[Any]]:
    # In pieces, each a transaction of its own: a long one would keep writers of SQLite waiting.
    last = 0
    while rows := database.ask(query.where(RECORDS.c.id > last).limit(_ROWS_AT_ONCE)):
        yield rows
        last = rows[-1][0]


def _of_runs(
    database: Database, query: sa.Select[Any], run_ids: Sequence[str]
) -> Iterator[Sequence[Any]]:
    distinct = list(dict.fromkeys(run_ids))
    for start in range(0, len(distinct), _RUNS_AT_ONCE):
        some = distinct[start : start + _RUNS_AT_ONCE]
        rows = database.ask(query.where(RECORDS.c.run_id.in_(some)))
        if rows:
            yield rows


def _dtype(column: sa.Column[Any]) -> type:
    if isinstance(column.type, sa.String):
        return object
    if isinstance(column.type, sa.Boolean):
        return np.bool_
    return np.int64 if not column.nullable and isinstance(column.type, sa.Integer) else np.float64


def _joined(parts: list[Any], column: sa.Column[Any]) -> np.ndarray:
    """Join a column's parts; whole numbers stay whole where none is missing."""
    values = np.concatenate(parts)
    parts.clear()
    whole = isinstance(column.type, sa.Integer) and not np.isnan(values).any()
    return values.astype(np.int64) if whole else values
