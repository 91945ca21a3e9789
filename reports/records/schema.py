"""The tables of a store, their version, and how an older store becomes one of today."""

from dataclasses import Field, fields
from types import NoneType
from typing import Any, get_args

import sqlalchemy as sa

from mobilebench.reports.records.confirmation import Confirmation
from mobilebench.reports.records.record import Record

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
OLDEST_VERSION = min(_ADDED) - 1  # that can be brought up to date

KEY = ("run_id", "variant", "target", "runtime", "threads", "precision", "weights")
"""What no two records share."""

_TYPES: dict[type, Any] = {
    str: sa.Text,
    int: sa.BigInteger,
    float: sa.Double,
    bool: sa.Boolean,
}


def _column(field: Field[Any]) -> sa.Column[Any]:
    kinds = get_args(field.type) or (field.type,)
    optional = NoneType in kinds
    kind = next((k for k in kinds if k in _TYPES), str)  # a Literal of strings is text
    # Key columns need a length where the database indexes them.
    sql_type = sa.String(255) if field.name in KEY and kind is str else _TYPES[kind]
    late = any(field.name in names for names in _ADDED.values())
    default = str(field.default) if late and not optional else None
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


METADATA = sa.MetaData()
VERSION = sa.Table("mobilebench_schema", METADATA, sa.Column("version", sa.Integer))
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
    *(_column(field) for field in fields(Record)),
    sa.UniqueConstraint(*KEY),
)
SAMPLES = _beside_records("samples", "rounds_ms")
KERNELS = _beside_records("kernels", "kernels")
ACTIVATIONS = _beside_records("activations", "activations")
_ROUNDS = ("base_rounds_ms", "head_rounds_ms")
CONFIRMATIONS = sa.Table(
    "confirmations",
    METADATA,
    _number(),
    sa.Column("base_run_id", sa.String(255), nullable=False),
    *(
        sa.Column(field.name, sa.JSON, nullable=False) if field.name in _ROUNDS else _column(field)
        for field in fields(Confirmation)
        if field.name != "base_run_id"
    ),
    sa.UniqueConstraint("base_run_id", *KEY),
)


def create(connection: sa.Connection) -> None:
    """Make the tables of today in an empty database."""
    METADATA.create_all(connection)
    connection.execute(VERSION.insert().values(version=SCHEMA_VERSION))


def version_of(connection: sa.Connection) -> int | None:
    """Return the version of a store's schema; None if the table of it is empty."""
    return connection.scalar(sa.select(VERSION.c.version))


def upgrade(connection: sa.Connection, version: int) -> None:
    """Add what a store of an older schema lacks; its rows stay as they are."""
    for step in range(version, SCHEMA_VERSION):
        for name in _ADDED[step + 1]:
            column = sa.schema.CreateColumn(RECORDS.c[name])
            added = column.compile(dialect=connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {RECORDS.name} ADD COLUMN {added}")
    METADATA.create_all(connection)  # tables that there were none of
    connection.execute(VERSION.update().values(version=SCHEMA_VERSION))
