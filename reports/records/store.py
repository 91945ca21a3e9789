"""Where records are kept: one SQLite file by default, PostgreSQL where several hosts write."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Self

import sqlalchemy as sa
from sqlalchemy import exc

from mobilebench.reports.errors import ReportError
from mobilebench.reports.records.activations import Activations
from mobilebench.reports.records.calibration import Calibration
from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.records.confirmation import Confirmation
from mobilebench.reports.records.database import LOST_WAIT_S, StoreDatabase, storable
from mobilebench.reports.records.record import COLUMNS, KernelTime, Record
from mobilebench.reports.records.schema import (
    ACTIVATIONS,
    CALIBRATIONS,
    CONFIRMATION_KEY,
    CONFIRMATIONS,
    KERNELS,
    KEY,
    RECORDS,
    RUNS,
    SAMPLES,
    TRACES,
)
from mobilebench.reports.records.trace import TracePoint

if TYPE_CHECKING:  # not before it is needed
    import pandas as pd

DEFAULT_URL = "sqlite:///mobilebench.sqlite"
_AT_ONCE = 500  # rows of JSON that one query asks for


@dataclass(frozen=True)
class Run:
    """A run's name, when it began (UTC, ISO 8601) and the suite that it was asked for."""

    run_id: str
    started_at: str
    suite: dict[str, Any]


class Store:
    """Runs, records and raw samples in one database.

    A record is written in one transaction with its samples as soon as it is finished, so a
    reader or a killed run never sees half of one. Where the connection to a server is lost, every
    method waits for it and goes on; a row is then neither lost nor written twice.
    """

    def __init__(
        self, url: str = DEFAULT_URL, *, create: bool = True, lost_wait_s: float = LOST_WAIT_S
    ) -> None:
        """Open `url` (an SQLAlchemy URL, or the path of an SQLite file).

        A store of an older schema is brought up to date, and older programs refuse it from then
        on. A server that goes away later is waited for `lost_wait_s` seconds. Raises ReportError if
        it cannot be opened, is no database of a schema that is known, or does not exist and
        `create` is off.
        """
        self.database = StoreDatabase(url, create, lost_wait_s)  # for the package's own modules

    @property
    def url(self) -> str:
        """What messages call it: an URL without its password."""
        return self.database.url

    def close(self) -> None:
        """Release the database."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def begin_run(self, run: Run) -> None:
        """Note a run before its first record; a resumed one keeps its place."""
        values = asdict(run)

        def change(connection: sa.Connection, _again: bool) -> None:
            found = connection.execute(
                RUNS.update().where(RUNS.c.run_id == run.run_id).values(**values)
            )
            if not found.rowcount:
                connection.execute(RUNS.insert().values(**values))

        self.database.write(change)

    def add(
        self,
        record: Record,
        rounds_ms: Sequence[Sequence[float]] = (),
        kernels: Sequence[KernelTime] = (),
        activations: Activations | None = None,
        trace: Sequence[TracePoint] = (),
        calibrations: Sequence[Calibration] = (),
    ) -> None:
        """Write a record and what belongs to it, at once.

        That is its raw samples (milliseconds, a list per round), kernels, activations, the trace of
        a load, and how fast the device was around its rounds. Raises ReportError if its run has a
        record of that key.
        """
        record = Record(**{name: storable(value) for name, value in asdict(record).items()})

        def change(connection: sa.Connection, again: bool) -> None:
            if again and _find(connection, RECORDS, asdict(record)) == asdict(record):
                return  # it had come through before the connection was lost
            insert = RECORDS.insert().values(**asdict(record)).returning(RECORDS.c.id)
            record_id = connection.scalar(insert)
            beside = {
                SAMPLES.c.rounds_ms: [list(samples) for samples in rounds_ms],
                KERNELS.c.kernels: [asdict(kernel) for kernel in kernels],
                ACTIVATIONS.c.activations: activations.to_json() if activations else None,
                TRACES.c.trace: [asdict(point) for point in trace],
                CALIBRATIONS.c.calibrations: [asdict(one) for one in calibrations],
            }
            for column, value in beside.items():
                if value:
                    values = {"record_id": record_id, column.name: value}
                    connection.execute(column.table.insert().values(**values))

        what = f"{record.variant} on {record.target} in {record.runtime}"
        self._write_once(change, f"run {record.run_id} has a row of {what} already")

    def add_confirmation(self, confirmation: Confirmation) -> None:
        """Write how a suspect came out when it was measured again.

        Raises ReportError if it was compared with that base before.
        """
        values = {name: storable(value) for name, value in confirmation.to_row().items()}

        def change(connection: sa.Connection, again: bool) -> None:
            if again and _find(connection, CONFIRMATIONS, values) == values:
                return
            connection.execute(CONFIRMATIONS.insert().values(**values))

        cell = confirmation.cell
        what = f"{cell.variant} on {cell.target} in {cell.runtime}"
        self._write_once(
            change,
            f"run {confirmation.run_id} has a confirmation of {what} against "
            f"{confirmation.base_run_id} already",
        )

    def _write_once(self, change: Any, taken: str) -> None:
        try:
            self.database.write(change)
        except ReportError as error:
            if not isinstance(error.__cause__, exc.IntegrityError):
                raise
            raise ReportError(
                f"store {self.url}: {taken}; is another mobilebench at work on this run?"
            ) from error

    def runs(self) -> list[Run]:
        """All runs, the oldest first."""
        query = RUNS.select().order_by(RUNS.c.started_at, RUNS.c.run_id)
        return [Run(**row._mapping) for row in self.database.ask(query)]

    def find_run(self, name: str) -> Run:
        """Return the run of that name, or the newest for `latest`; with ~N, the Nth before it.

        Raises ReportError, with the newest names, if there is none.
        """
        order = (RUNS.c.started_at.desc(), RUNS.c.run_id.desc())
        newest = [
            row.run_id for row in self.database.ask(sa.select(RUNS.c.run_id).order_by(*order))
        ]
        if not newest:
            raise ReportError(
                f"store {self.url}: has no runs yet; start one with `mobilebench run`"
            )
        before = re.search(r"~(\d+)$", name)
        start, back = (name[: before.start()], int(before[1])) if before else (name, 0)
        place = 0 if start == "latest" else newest.index(start) if start in newest else len(newest)
        if place + back >= len(newest):
            known = ", ".join(reversed(newest[:3]))
            near = get_close_matches(start, ["latest", *newest], n=1, cutoff=0.7)
            hint = f"; did you mean {near[0]}?" if near and near[0] != start else ""
            raise ReportError(f"store {self.url}: no run {name!r}; the newest are {known}{hint}")
        (found,) = self.database.ask(RUNS.select().where(RUNS.c.run_id == newest[place + back]))
        return Run(**found._mapping)

    def records(self, run_ids: Sequence[str]) -> list[Record]:
        """Return the records of those runs in the order in which they were written."""
        query = sa.select(*(RECORDS.c[name] for name in COLUMNS))
        query = query.where(RECORDS.c.run_id.in_(run_ids)).order_by(RECORDS.c.id)
        return [Record(**row._mapping) for row in self.database.ask(query)]

    def measurements(self, run_ids: Sequence[str]) -> list[tuple[Record, list[list[float]]]]:
        """Return `records`, each with its raw samples (ms, a list per round), in one query."""
        query = (
            sa.select(*(RECORDS.c[name] for name in COLUMNS), SAMPLES.c.rounds_ms)
            .outerjoin_from(RECORDS, SAMPLES)
            .where(RECORDS.c.run_id.in_(run_ids))
            .order_by(RECORDS.c.id)
        )
        return [
            (Record(**dict(zip(COLUMNS, row, strict=False))), row.rounds_ms or [])
            for row in self.database.ask(query)
        ]

    def frame(
        self,
        columns: Sequence[str] = COLUMNS,
        run_ids: Sequence[str] | None = None,
        statuses: Sequence[str] | None = None,
    ) -> "pd.DataFrame":
        """Return columns of the records of those runs, or of all, in the order of writing.

        The index, `record_id`, is what `rounds_of`, `kernels_of` and `activations_of` ask for.
        Numbers that no row lacks are integers where the record's are; all others are floats, NaN
        where there is none. A million records are read without holding more than the frame.
        """
        from mobilebench.reports.records.reading import read_frame

        return read_frame(self.database, columns, run_ids, statuses)

    def tally(self) -> dict[str, tuple[int, int]]:
        """Return how many records each run has, and how many of them are ok."""
        ok = sa.func.sum(sa.case((RECORDS.c.status == "ok", 1), else_=0))
        query = sa.select(RECORDS.c.run_id, sa.func.count(), ok).group_by(RECORDS.c.run_id)
        return {run_id: (rows, good) for run_id, rows, good in self.database.ask(query)}

    def require_rows(self, run_ids: Sequence[str], purpose: str) -> None:
        """Raise ReportError if a run has no rows yet; it names the newest run that has some."""
        tally = self.tally()
        empty = [run_id for run_id in run_ids if run_id not in tally]
        if not empty:
            return
        others = [run.run_id for run in self.runs() if run.run_id in tally]
        newest = f"the newest run that has some is {others[-1]}" if others else "nor has any other"
        raise ReportError(
            f"store {self.url}: run {empty[0]} has no rows to {purpose} yet; {newest}"
        )

    def rounds_of(self, record_ids: Iterable[int]) -> dict[int, list[list[float]]]:
        """Return the raw samples (ms, a list per round) of those records that have any."""
        return dict(self._beside(SAMPLES.c.rounds_ms, record_ids))

    def kernels_of(self, record_ids: Iterable[int]) -> dict[int, list[KernelTime]]:
        """Return the kernels, in the order in which they run, of those records that have any."""
        found = self._beside(KERNELS.c.kernels, record_ids)
        return {record_id: [KernelTime(**one) for one in kernels] for record_id, kernels in found}

    def activations_of(self, record_ids: Iterable[int]) -> dict[int, Activations]:
        """Return what the activations need of those records where somebody asked."""
        found = self._beside(ACTIVATIONS.c.activations, record_ids)
        return {record_id: Activations.from_json(needs) for record_id, needs in found}

    def traces_of(self, record_ids: Iterable[int]) -> dict[int, list[TracePoint]]:
        """Return how a load went, in the order of time, of those records that had one."""
        found = self._beside(TRACES.c.trace, record_ids)
        return {record_id: [TracePoint(**one) for one in trace] for record_id, trace in found}

    def calibrations(self, run_ids: Sequence[str]) -> dict[tuple[str, CellKey], list[Calibration]]:
        """Return how fast the device was around the rounds of those runs' rows.

        By run and cell, in the order of time; rows without rounds, and older ones, have none.
        """
        named = ("run_id", *CellKey.names())
        query = (
            sa.select(*(RECORDS.c[name] for name in named), CALIBRATIONS.c.calibrations)
            .join_from(RECORDS, CALIBRATIONS)
            .where(RECORDS.c.run_id.in_(run_ids))
        )
        return {
            (row.run_id, CellKey.of(row)): [Calibration(**one) for one in row.calibrations]
            for row in self.database.ask(query)
        }

    def rounds_ms(self, record: Record) -> list[list[float]]:
        """Return the raw samples of a record: milliseconds, a list per round."""
        return next(iter(self.rounds_of(self._ids(record)).values()), [])

    def kernels(self, record: Record) -> list[KernelTime]:
        """Return the kernels of a record, in the order in which they run; often there are none."""
        return next(iter(self.kernels_of(self._ids(record)).values()), [])

    def activations(self, record: Record) -> Activations | None:
        """Return what the activations of a record's network need; None if nobody asked."""
        return next(iter(self.activations_of(self._ids(record)).values()), None)

    def trace(self, record: Record) -> list[TracePoint]:
        """Return how a load of a record went, second by second; empty if there was none."""
        return next(iter(self.traces_of(self._ids(record)).values()), [])

    def confirmations(self, run_ids: Sequence[str]) -> list[Confirmation]:
        """Return those of these nights, in the order in which they were written."""
        table = CONFIRMATIONS
        query = table.select().where(table.c.run_id.in_(run_ids)).order_by(table.c.id)
        return [
            Confirmation.from_row({n: v for n, v in row._mapping.items() if n != "id"})
            for row in self.database.ask(query)
        ]

    def _ids(self, record: Record) -> list[int]:
        query = sa.select(RECORDS.c.id).where(*_is(RECORDS, vars(record)))
        return [row.id for row in self.database.ask(query)]

    def _beside(self, column: sa.Column[Any], ids: Iterable[int]) -> Iterator[tuple[int, Any]]:
        table, wanted = column.table, [int(record_id) for record_id in ids]
        for start in range(0, len(wanted), _AT_ONCE):
            some = table.c.record_id.in_(wanted[start : start + _AT_ONCE])
            yield from self.database.ask(sa.select(table.c.record_id, column).where(some))


def _is(table: sa.Table, row: Mapping[str, Any]) -> list[Any]:
    key = CONFIRMATION_KEY if table is CONFIRMATIONS else KEY
    return [table.c[name] == row[name] for name in key]


def _find(
    connection: sa.Connection, table: sa.Table, row: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Return what the table has of a row's key, without its number."""
    found = connection.execute(table.select().where(*_is(table, row))).mappings().first()
    return {name: value for name, value in found.items() if name != "id"} if found else None
