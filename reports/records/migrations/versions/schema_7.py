"""The names of today; what a suite optimises for tells cells apart; keys are named indices."""

import sqlalchemy as sa
from alembic import op

from mobilebench.reports.records.renamed import COLUMNS, STATUSES, rename_suite

revision = "7"
down_revision = "6"

_KEY = (
    *("run_id", "target", "threads", "precision", "optimize_for"),
    *("variant", "weights", "runtime"),
)
_SHARED = ("run_id", "target", "device", "threads", "precision", "variant", "weights", "runtime")
_NAME = sa.String(255)


def upgrade() -> None:
    """Rename columns, statuses and the keys of suites; rows stay as they are."""
    with op.batch_alter_table("records", copy_from=_without_key("records")) as records:
        for old, new in COLUMNS.items():
            kind = _NAME if new in _KEY else None
            records.alter_column(old, new_column_name=new, type_=kind)
        records.drop_column("tune_s")
    op.create_index("records_key", "records", _KEY, unique=True)
    for old, new in STATUSES.items():
        records_table = sa.table("records", sa.column("status"))
        status = records_table.c.status
        op.execute(records_table.update().where(status == old).values(status=new))
    _add_to_confirmations()
    _rename_suites()
    op.drop_table("mobilebench_schema")


def _without_key(name: str) -> sa.Table | None:
    """Drop a table's unique constraint; SQLite cannot: return the table as it is without it."""
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        table = sa.Table(name, sa.MetaData(), autoload_with=connection)
        for constraint in list(table.constraints):
            if isinstance(constraint, sa.UniqueConstraint):
                table.constraints.discard(constraint)
        return table
    for found in sa.inspect(connection).get_unique_constraints(name):
        op.drop_constraint(str(found["name"]), name, type_="unique")
    return None


def _add_to_confirmations() -> None:
    """Take what each was optimised for from its record."""
    with op.batch_alter_table("confirmations", copy_from=_without_key("confirmations")) as table:
        table.add_column(sa.Column("optimize_for", _NAME, nullable=False, server_default="latency"))
    own, records = (
        sa.table(name, sa.column("optimize_for"), *map(sa.column, _SHARED))
        for name in ("confirmations", "records")
    )
    measured = (
        sa.select(records.c.optimize_for)
        .where(*(records.c[name] == own.c[name] for name in _SHARED))
        .limit(1)
        .scalar_subquery()
    )
    op.execute(own.update().values(optimize_for=sa.func.coalesce(measured, "latency")))
    op.create_index("confirmations_key", "confirmations", ["base_run_id", *_KEY], unique=True)


def _rename_suites() -> None:
    connection = op.get_bind()
    runs = sa.table("runs", sa.column("run_id"), sa.column("suite", sa.JSON))
    for run_id, suite in connection.execute(sa.select(runs.c.run_id, runs.c.suite)).all():
        renamed = runs.update().where(runs.c.run_id == run_id).values(suite=rename_suite(suite))
        connection.execute(renamed)
