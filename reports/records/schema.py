"""The tables of a store, as they are today; `migrations` has how an older store gets there."""

from dataclasses import Field, fields
from types import NoneType
from typing import Any, get_args

import sqlalchemy as sa

from mobilebench.reports.records.cell_key import CellKey
from mobilebench.reports.records.confirmation import Confirmation
from mobilebench.reports.records.record import Record

SCHEMA_VERSION = 11
"""The number of the newest migration: what `VERSION` has in a store of today."""
KEY = ("run_id", *CellKey.planned_names())
"""What no two records share."""
CELL = (*CellKey.names(), "emulated")
"""What rows of one cell share; a cell of an emulated device is another one."""
CONFIRMATION_KEY = ("base_run_id", *KEY)
"""What no two confirmations share."""

# Defaults of columns that must have a value and that dumps of older schemas lack.
_ONE = {"batch": "1", "streams": "1"}
_LATE_TEXTS = ("artifact_key", "calibration_data", "runtime_notes", "energy_source")
_LATE_COLUMNS = dict.fromkeys(_LATE_TEXTS, "") | _ONE
_LATE_AXES = {"optimize_for": "latency"} | _ONE  # of confirmations
_TYPES: dict[type, Any] = {
    str: sa.Text,
    int: sa.BigInteger,
    float: sa.Double,
    bool: sa.Boolean,
}


def _column(field: Field[Any], default: str | None = None) -> sa.Column[Any]:
    kinds = get_args(field.type) or (field.type,)
    optional = NoneType in kinds
    kind = next((k for k in kinds if k in _TYPES), str)  # a Literal of strings is text
    # Key columns need a length where the database indexes them.
    sql_type = sa.String(255) if field.name in KEY and kind is str else _TYPES[kind]
    return sa.Column(field.name, sql_type, nullable=optional, server_default=default)


def _number() -> sa.Column[int]:
    """Return a column that numbers rows in the order in which they are written."""
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)


def _beside_records(name: str, column: str) -> sa.Table:
    """Return a table of what some records have beside their columns, as JSON."""
    record = sa.ForeignKey("records.id", ondelete="CASCADE")
    return sa.Table(
        name,
        METADATA,
        sa.Column("record_id", record, primary_key=True),
        sa.Column(column, sa.JSON, nullable=False),
    )


def _confirmation_columns() -> list[sa.Column[Any]]:
    found = []
    for field in fields(Confirmation):
        if field.name == "cell":
            found += [_column(axis, _LATE_AXES.get(axis.name)) for axis in fields(CellKey)]
        elif field.type is str:
            kind = sa.String(255) if field.name in CONFIRMATION_KEY else sa.Text
            found.append(sa.Column(field.name, kind, nullable=False))
        else:
            found.append(sa.Column(field.name, sa.JSON, nullable=False))
    return found


METADATA = sa.MetaData()
VERSION = sa.Table(  # the columns are Alembic's
    "mobilebench_version",
    METADATA,
    sa.Column("version_num", sa.String(32), primary_key=True),
)
RUNS = sa.Table(
    "runs",
    METADATA,
    sa.Column("run_id", sa.String(255), primary_key=True),
    sa.Column("started_at", sa.String(40), nullable=False),
    sa.Column("suite", sa.JSON, nullable=False),
)
RECORDS = sa.Table(
    "records",
    METADATA,
    _number(),
    *(_column(field, _LATE_COLUMNS.get(field.name)) for field in fields(Record)),
    sa.Index("records_key", *KEY, unique=True),
    sa.Index("records_cells", *CELL),  # the newest row of every cell of a target
)
EXAMINED = RECORDS.c.images > sa.literal_column("0")
"""Whether accuracy was measured; a literal, without which SQLite would not take the index."""
sa.Index(
    "records_examined",
    *(RECORDS.c[name] for name in ("variant", "weights", "precision", "runtime", "images")),
    sqlite_where=EXAMINED,
    postgresql_where=EXAMINED,
)
SAMPLES = _beside_records("samples", "rounds_ms")
KERNELS = _beside_records("kernels", "kernels")
ACTIVATIONS = _beside_records("activations", "activations")
TRACES = _beside_records("traces", "trace")
CALIBRATIONS = _beside_records("calibrations", "calibrations")
CONFIRMATIONS = sa.Table(
    "confirmations",
    METADATA,
    _number(),
    *_confirmation_columns(),
    sa.Index("confirmations_key", *CONFIRMATION_KEY, unique=True),
)


def create(connection: sa.Connection) -> None:
    """Make the tables of today in an empty database."""
    METADATA.create_all(connection)
    connection.execute(VERSION.insert().values(version_num=str(SCHEMA_VERSION)))
