"""Columns of very many records as a frame, without holding the records."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from mobilebench.reports.records.database import StoreDatabase
from mobilebench.reports.records.schema import RECORDS

_ROWS_AT_ONCE, _RUNS_AT_ONCE = 20_000, 20


def read_frame(
    database: StoreDatabase,
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
    parts = [_Text() if isinstance(c.type, sa.String) else _Numbers(c) for c in asked]
    for rows in chunks:
        for part, values in zip(parts, zip(*rows, strict=True), strict=True):
            part.add(values)
    ids, *arrays = (part.whole() for part in parts)
    frame = pd.DataFrame(
        dict(zip(columns, arrays, strict=True)), index=pd.Index(ids, name="record_id"), copy=False
    )
    return frame if frame.index.is_monotonic_increasing else frame.sort_index()


class _Numbers:
    """A column of numbers, grown by pieces."""

    def __init__(self, column: sa.Column[Any]) -> None:
        self._whole = isinstance(column.type, sa.Integer)
        self._dtype: type = np.float64
        if not column.nullable:
            self._dtype = np.int64 if self._whole else np.float64
        if isinstance(column.type, sa.Boolean):
            self._dtype = np.bool_
        self._pieces = [np.empty(0, self._dtype)]

    def add(self, values: Sequence[Any]) -> None:
        self._pieces.append(np.array(values, self._dtype))

    def whole(self) -> Any:
        """Return all of it; whole numbers stay whole where none is missing."""
        values = np.concatenate(self._pieces)
        self._pieces.clear()
        return values.astype(np.int64) if self._whole and not np.isnan(values).any() else values


class _Codes(dict[str, int]):
    """Numbers texts in the order in which they are first asked for."""

    def __missing__(self, text: str) -> int:
        self[text] = code = len(self)
        return code


class _Text:
    """A column of text, of which most is the same again and again, grown by pieces."""

    def __init__(self) -> None:
        self._codes = _Codes()
        self._pieces = [np.empty(0, np.int32)]

    def add(self, values: Sequence[str]) -> None:
        codes = map(self._codes.__getitem__, values)
        self._pieces.append(np.fromiter(codes, np.int32, len(values)))

    def whole(self) -> Any:
        texts = pd.Series([*self._codes, ""]).array  # never empty: pandas sees that it is text
        self._codes.clear()
        return texts.take(np.concatenate(self._pieces))


def _all(database: StoreDatabase, query: sa.Select[Any]) -> Iterator[Sequence[Any]]:
    # In pieces, each a transaction of its own: a long one would keep writers of SQLite waiting.
    last = 0
    while rows := database.ask(query.where(RECORDS.c.id > last).limit(_ROWS_AT_ONCE)):
        yield rows
        last = rows[-1][0]


def _of_runs(
    database: StoreDatabase, query: sa.Select[Any], run_ids: Sequence[str]
) -> Iterator[Sequence[Any]]:
    distinct = list(dict.fromkeys(run_ids))
    for start in range(0, len(distinct), _RUNS_AT_ONCE):
        some = distinct[start : start + _RUNS_AT_ONCE]
        rows = database.ask(query.where(RECORDS.c.run_id.in_(some)))
        if rows:
            yield rows
