"""Batches and streams tell cells apart; throughput, cold starts, stages, loads and energy."""

import sqlalchemy as sa
from alembic import op

revision = "10"
down_revision = "9"

_AT_ONCE = ("batch", "streams")
_PLANNED = (
    *("run_id", "target", "threads", "precision", "optimize_for"),
    *("variant", "weights", "runtime", *_AT_ONCE),
)
_CELL = (
    *("target", "device", "threads", "precision", "optimize_for"),
    *("variant", "weights", "runtime", *_AT_ONCE, "emulated"),
)
_INDICES = {
    "records_key": ("records", _PLANNED, True),
    "records_cells": ("records", _CELL, False),
    "confirmations_key": ("confirmations", ("base_run_id", *_PLANNED), True),
}
_STAGES = (
    *("decode", "resize", "normalise", "inference"),
    *("boxes", "suppress", "label", "mask", "top_k"),
)
_NUMBERS = (
    *("throughput_per_s", "load_ms", "first_inference_ms", "end_to_end_ms"),
    *(f"stage_{name}_ms" for name in _STAGES),
    *("load_s", "first_minute_ms", "slows_after_s", "steady_ms", "speed_left"),
    *("pace_fps", "idle_share", "energy_per_inference_j", "power_w", "idle_power_w"),
)
_COUNTS = ("stage_images", "frames", "missed_deadlines", "dropped_frames")


def upgrade() -> None:
    """Add what records lack: each is of one image and one stream; make their keys anew."""
    for table in ("records", "confirmations"):
        for name in _AT_ONCE:
            op.add_column(table, sa.Column(name, sa.BigInteger, nullable=False, server_default="1"))
    for name in _NUMBERS:
        op.add_column("records", sa.Column(name, sa.Double))
    for name in _COUNTS:
        op.add_column("records", sa.Column(name, sa.BigInteger))
    source = sa.Column("energy_source", sa.Text, nullable=False, server_default="")
    op.add_column("records", source)
    for name, (table, columns, unique) in _INDICES.items():
        op.drop_index(name, table)
        op.create_index(name, table, columns, unique=unique)
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    record = sa.ForeignKey("records.id", ondelete="CASCADE")
    op.create_table(
        "traces",
        sa.Column("record_id", number, record, primary_key=True),
        sa.Column("trace", sa.JSON, nullable=False),
    )
