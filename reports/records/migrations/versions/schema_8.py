"""How a network was quantized."""

import sqlalchemy as sa
from alembic import op

revision = "8"
down_revision = "7"


def upgrade() -> None:
    """Add what records lack."""
    op.add_column(
        "records", sa.Column("calibration_data", sa.Text, nullable=False, server_default="")
    )
    for name in ("quantization_error", "quantize_s"):
        op.add_column("records", sa.Column(name, sa.Double))
