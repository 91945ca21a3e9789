"""How fast the device was before, between and after the rounds of a row."""

import sqlalchemy as sa
from alembic import op

revision = "11"
down_revision = "10"


def upgrade() -> None:
    """Add the table; rows of before have nothing in it."""
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    record = sa.ForeignKey("records.id", ondelete="CASCADE")
    op.create_table(
        "calibrations",
        sa.Column("record_id", number, record, primary_key=True),
        sa.Column("calibrations", sa.JSON, nullable=False),
    )
