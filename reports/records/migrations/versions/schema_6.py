"""The key of a record's library in the cache, and the tables that came without a version."""

import sqlalchemy as sa
from alembic import op

revision = "6"
down_revision = "5"

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add what a store lacks; activations and confirmations may be there already."""
    op.add_column("records", sa.Column("artifact_key", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "activations",
        sa.Column(
            "record_id", _ID, sa.ForeignKey("records.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("activations", sa.JSON, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "confirmations",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("base_run_id", sa.String(255), nullable=False),
        sa.Column("run_id", sa.String(255), nullable=False),
        sa.Column("variant", sa.String(255), nullable=False),
        sa.Column("target", sa.String(255), nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("runtime", sa.String(255), nullable=False),
        sa.Column("threads", sa.BigInteger, nullable=False),
        sa.Column("precision", sa.String(255), nullable=False),
        sa.Column("weights", sa.String(255), nullable=False),
        sa.Column("measured_at", sa.Text, nullable=False),
        sa.Column("base_rounds_ms", sa.JSON, nullable=False),
        sa.Column("head_rounds_ms", sa.JSON, nullable=False),
        sa.UniqueConstraint(
            *("base_run_id", "run_id", "variant", "target", "runtime"),
            *("threads", "precision", "weights"),
        ),
        if_not_exists=True,
    )
