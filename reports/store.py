"""Where records are kept: any database that SQLAlchemy speaks, one SQLite file by default."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import Field, asdict, dataclass, fields
from types import NoneType
from typing import Any, Self, get_args

import sqlalchemy as sa

from reports.activations import Activations
from reports.confirmation import Confirmation
from reports.errors import ReportError
from reports.record import KernelTime, Record

_ADDED = {
    5: (
        "max_box_error_px",
        *("map_percent", "map_ci95_low_percent", "map_ci95_high_percent"),
        *("map50_percent", "map50_ci95_low_percent", "map50_ci95_high_percent"),
        *("miou_percent", "miou_ci95_low_percent", "miou_ci95_high_percent"),
        *("pytorch_map_percent", "pytorch_map50_percent", "pytorch_miou_percent"),
    ),
    6: ("artifact_key",),
}
"""Columns of records that a schema has and the one before it has not.

In rows of before they are empty, or where they must have a value, the field's default.
"""
SCHEMA_VERSION = max(_ADDED)
_OLDEST_VERSION = min(_ADDED) - 1  # that can be brought up to date
DEFAULT_URL = "sqlite:///mobilebench.sqlite"

_TYPES: dict[type, Any] = {
    str: sa.Text,
    int: sa.BigInteger,
    float: sa.Double,
    bool: sa.Boolean,
}
_KEY = ("run_id", "variant", "target", "runtime", "threads", "precision", "weights")


def _column(field: Field[Any]) -> sa.Column[Any]:
    kinds = get_args(field.type) or (field.type,)
    optional = NoneType in kinds
    kind = next((k for k in kinds if k in _TYPES), str)  # a Literal of strings is text
    # Key columns need a length where the database indexes them.
    sql_type = sa.String(255) if field.name in _KEY and kind is str else _TYPES[kind]
    late = any(field.name in names for names in _ADDED.values())
    default = str(field.default) if late and not optional else None
    return sa.Column(field.name, sql_type, nullable=optional, server_default=default)


_metadata = sa.MetaData()
_schema = sa.Table("mobilebench_schema", _metadata, sa.Column("version", sa.Integer))
_runs = sa.Table(
    "runs",
    _metadata,
    sa.Column("run_id", sa.String(255), primary_key=True),
    sa.Column("started_at", sa.String(40), nullable=False),
    sa.Column("suite", sa.JSON, nullable=False),
)
_records = sa.Table(
    "records",
    _metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    *(_column(field) for field in fields(Record)),
    sa.UniqueConstraint(*_KEY),
)
_samples = sa.Table(
    "samples",
    _metadata,
    sa.Column("record_id", sa.ForeignKey("records.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("rounds_ms", sa.JSON, nullable=False),
)
_kernels = sa.Table(
    "kernels",
    _metadata,
    sa.Column("record_id", sa.ForeignKey("records.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("kernels", sa.JSON, nullable=False),
)
_activations = sa.Table(
    "activations",
    _metadata,
    sa.Column("record_id", sa.ForeignKey("records.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("activations", sa.JSON, nullable=False),
)
_ROUNDS = ("base_rounds_ms", "head_rounds_ms")
_confirmations = sa.Table(
    "confirmations",
    _metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("base_run_id", sa.String(255), nullable=False),
    *(
        sa.Column(field.name, sa.JSON, nullable=False) if field.name in _ROUNDS else _column(field)
        for field in fields(Confirmation)
        if field.name != "base_run_id"
    ),
    sa.UniqueConstraint("base_run_id", *_KEY),
)


@dataclass(frozen=True)
class Run:
    """A run's name, when it began (UTC, ISO 8601) and the suite that it was asked for."""

    run_id: str
    started_at: str
    suite: dict[str, Any]


class Store:
    """Runs, records and raw samples in one database.

    A record is written in one transaction with its samples as soon as it is finished, so a
    reader or a killed run never sees half of one.
    """

    def __init__(self, url: str = DEFAULT_URL, *, create: bool = True) -> None:
        """Open `url` (an SQLAlchemy URL, or the path of an SQLite file).

        A store of an older schema is brought up to date, and older programs refuse it from then
        on. Raises ReportError if it cannot be opened, is no database of a schema that is known, or
        does not exist and `create` is off.
        """
        self.url = url if "://" in url else f"sqlite:///{url}"
        with self._refusing():
            parsed = sa.make_url(self.url)
            self._engine = sa.create_engine(parsed)
            if parsed.get_backend_name() == "sqlite":
                sa.event.listen(self._engine, "connect", _configure_sqlite)
                if not create and parsed.database and not _exists(parsed.database):
                    raise ReportError(
                        f"store {self.url}: no such file; `mobilebench run` makes one"
                    )
            self._prepare(create)

    def _prepare(self, create: bool) -> None:
        with self._engine.begin() as connection:
            if create and connection.dialect.name == "sqlite":
                # Python's driver begins transactions late: without this a table made just before
                # a kill would stay alone, and two at once would make the same one.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            tables = sa.inspect(connection).get_table_names()
            if _schema.name not in tables:
                if tables or not create:
                    raise ReportError(
                        f"store {self.url}: is a database of something else; give another --store"
                    )
                _metadata.create_all(connection)
                connection.execute(_schema.insert().values(version=SCHEMA_VERSION))
                return
            version = connection.scalar(sa.select(_schema.c.version))
        if version is None or not _OLDEST_VERSION <= version <= SCHEMA_VERSION:
            raise ReportError(
                f"store {self.url}: has schema {version}, this mobilebench reads "
                f"{_OLDEST_VERSION} to {SCHEMA_VERSION}; give another --store"
            )
        if version < SCHEMA_VERSION:
            self._upgrade()

    def _upgrade(self) -> None:
        """Add what is missing, all at once; another may be doing the same at this moment."""
        with self._engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            version = connection.scalar(sa.select(_schema.c.version).with_for_update())
            for step in range(version or SCHEMA_VERSION, SCHEMA_VERSION):
                for name in _ADDED[step + 1]:
                    column = sa.schema.CreateColumn(_records.c[name])
                    added = column.compile(dialect=connection.dialect)
                    connection.exec_driver_sql(f"ALTER TABLE {_records.name} ADD COLUMN {added}")
            _metadata.create_all(connection)  # tables that there were none of
            connection.execute(_schema.update().values(version=SCHEMA_VERSION))

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except (sa.exc.ArgumentError, ValueError) as error:
            raise ReportError(
                f"store {self.url}: not a database URL; give a path or sqlite:///PATH"
            ) from error
        except ModuleNotFoundError as error:
            raise ReportError(
                f"store {self.url}: its driver is missing; pip install {error.name}"
            ) from error
        except sa.exc.SQLAlchemyError as error:
            cause = getattr(error, "orig", None) or error
            raise ReportError(
                f"store {self.url}: {cause}; it must be a writable database or a path where "
                "one can be made"
            ) from error

    def close(self) -> None:
        """Release the database."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def begin_run(self, run: Run) -> None:
        """Note a run before its first record; a resumed one keeps its place."""
        values = asdict(run)
        with self._refusing(), self._engine.begin() as connection:
            found = connection.execute(
                _runs.update().where(_runs.c.run_id == run.run_id).values(**values)
            )
            if not found.rowcount:
                connection.execute(_runs.insert().values(**values))

    def add(
        self,
        record: Record,
        rounds_ms: Sequence[Sequence[float]] = (),
        kernels: Sequence[KernelTime] = (),
        activations: Activations | None = None,
    ) -> None:
        """Write a record and what belongs to it, at once.

        That is its raw samples (milliseconds, a list per round), kernels and activations.
        """
        with self._refusing(), self._engine.begin() as connection:
            insert = _records.insert().values(**asdict(record)).returning(_records.c.id)
            record_id = connection.scalar(insert)
            if rounds_ms:
                rounds = [list(samples) for samples in rounds_ms]
                connection.execute(_samples.insert().values(record_id=record_id, rounds_ms=rounds))
            if kernels:
                plain = [asdict(kernel) for kernel in kernels]
                connection.execute(_kernels.insert().values(record_id=record_id, kernels=plain))
            if activations:
                needs = activations.to_json()
                connection.execute(
                    _activations.insert().values(record_id=record_id, activations=needs)
                )

    def add_confirmation(self, confirmation: Confirmation) -> None:
        """Write how a suspect came out when it was measured again; a base is asked but once."""
        with self._refusing(), self._engine.begin() as connection:
            connection.execute(_confirmations.insert().values(**asdict(confirmation)))

    def runs(self) -> list[Run]:
        """All runs, the oldest first."""
        with self._refusing(), self._engine.connect() as connection:
            rows = connection.execute(_runs.select().order_by(_runs.c.started_at, _runs.c.run_id))
            return [Run(**row) for row in rows.mappings()]

    def find_run(self, name: str) -> Run:
        """Return the run of that name, or the newest for `latest`; with ~N, the Nth before it.

        Raises ReportError, with the newest names, if there is none.
        """
        runs = self.runs()
        if not runs:
            raise ReportError(
                f"store {self.url}: has no runs yet; start one with `mobilebench run`"
            )
        earlier = re.search(r"~(\d+)$", name)
        named, back = (name[: earlier.start()], int(earlier[1])) if earlier else (name, 0)
        found = [run for run in runs if named in ("latest", run.run_id)][-1:]
        place = runs.index(found[0]) - back if found else -1
        if place < 0:
            known = ", ".join(run.run_id for run in runs[-3:])
            raise ReportError(f"store {self.url}: no run {name!r}; the newest are {known}")
        return runs[place]

    def records(self, run_ids: Sequence[str]) -> list[Record]:
        """Return the records of those runs in the order in which they were written."""
        query = _records.select().where(_records.c.run_id.in_(run_ids)).order_by(_records.c.id)
        with self._refusing(), self._engine.connect() as connection:
            rows = connection.execute(query).mappings()
            return [
                Record(**{name: value for name, value in row.items() if name != "id"})
                for row in rows
            ]

    def measurements(self, run_ids: Sequence[str]) -> list[tuple[Record, list[list[float]]]]:
        """Return `records` with the raw samples of each, all of them in one query."""
        names = [field.name for field in fields(Record)]
        columns = [_records.c[name] for name in names]
        query = (
            sa.select(*columns, _samples.c.rounds_ms)
            .outerjoin_from(_records, _samples)
            .where(_records.c.run_id.in_(run_ids))
            .order_by(_records.c.id)
        )
        with self._refusing(), self._engine.connect() as connection:
            return [
                (Record(**dict(zip(names, row, strict=False))), row[-1] or [])
                for row in connection.execute(query)
            ]

    def rounds_ms(self, record: Record) -> list[list[float]]:
        """Return the raw samples of a record: milliseconds, a list per round."""
        query = sa.select(_samples.c.rounds_ms).join(_records).where(*_is(record))
        with self._refusing(), self._engine.connect() as connection:
            found: list[list[float]] | None = connection.scalar(query)
            return json.loads(found) if isinstance(found, str) else found or []

    def kernels(self, record: Record) -> list[KernelTime]:
        """Return the kernels of a record, in the order in which they run; often there are none."""
        query = sa.select(_kernels.c.kernels).join(_records).where(*_is(record))
        with self._refusing(), self._engine.connect() as connection:
            return [KernelTime(**one) for one in connection.scalar(query) or []]

    def activations(self, record: Record) -> Activations | None:
        """Return what the activations of a record's network need; None if nobody asked."""
        query = sa.select(_activations.c.activations).join(_records).where(*_is(record))
        with self._refusing(), self._engine.connect() as connection:
            found = connection.scalar(query)
            return Activations.from_json(found) if found else None

    def confirmations(self, run_ids: Sequence[str]) -> list[Confirmation]:
        """Return those of these nights, in the order in which they were written."""
        table = _confirmations
        query = table.select().where(table.c.run_id.in_(run_ids)).order_by(table.c.id)
        with self._refusing(), self._engine.connect() as connection:
            rows = connection.execute(query).mappings()
            return [
                Confirmation(**{name: value for name, value in row.items() if name != "id"})
                for row in rows
            ]


def _is(record: Record) -> list[Any]:
    return [_records.c[name] == getattr(record, name) for name in _KEY]


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous=FULL")  # a power cut must not cost a finished row
    connection.execute("PRAGMA foreign_keys=ON")


def _exists(path: str) -> bool:
    from pathlib import Path

    return path == ":memory:" or Path(path).exists()
