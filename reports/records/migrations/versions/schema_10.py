"""Batches and streams tell cells apart; how many images a second."""

import sqlalchemy as sa
from alembic import op

revision = "10"
down_revision = "9"

_PLANNED = (
    *("run_id", "target", "threads", "precision", "optimize_for"),
    *("variant", "weights", "runtime", "batch", "streams"),
)
_CELL = (
    *("target", "device", "threads", "precision", "optimize_for"),
    *("variant", "weights", "runtime", "batch", "streams", "emulated"),
)
_INDICES = {
    "records_key": ("records", _PLANNED, True),
    "records_cells": ("records", _CELL, False),
    "confirmations_key": ("confirmations", ("base_run_id", *_PLANNED), True),
}


def upgrade() -> None:
    """Add what records lack: each is of one image and one stream; make their keys anew."""
    for table in ("records", "confirmations"):
        for name in ("batch", "streams"):
            op.add_column(table, sa.Column(name, sa.BigInteger, nullable=False, server_default="1"))
    op.add_column("records", sa.Column("throughput_per_s", sa.Double))
    for name, (table, columns, unique) in _INDICES.items():
        op.drop_index(name, table)
        op.create_index(name, table, columns, unique=unique)
