"""What a load of minutes shows: how latency went, a camera's frames, and energy."""

import sqlalchemy as sa
from alembic import op

revision = "10"
down_revision = "9"

_NUMBERS = (
    *("load_s", "first_minute_ms", "slows_after_s", "steady_ms", "speed_left"),
    *("pace_fps", "idle_share", "energy_per_inference_j", "power_w", "idle_power_w"),
)
_COUNTS = ("frames", "missed_deadlines", "dropped_frames")


def upgrade() -> None:
    """Add what records lack; rows stay as they are."""
    for name in _NUMBERS:
        op.add_column("records", sa.Column(name, sa.Double))
    for name in _COUNTS:
        op.add_column("records", sa.Column(name, sa.BigInteger))
    source = sa.Column("energy_source", sa.Text, nullable=False, server_default="")
    op.add_column("records", source)
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    record = sa.ForeignKey("records.id", ondelete="CASCADE")
    op.create_table(
        "traces",
        sa.Column("record_id", number, record, primary_key=True),
        sa.Column("trace", sa.JSON, nullable=False),
    )
