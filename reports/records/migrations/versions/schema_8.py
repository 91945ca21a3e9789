"""How a network was quantized, how far that is from float32, and what a runtime tells."""

import sqlalchemy as sa
from alembic import op

revision = "8"
down_revision = "7"


def upgrade() -> None:
    """Add what records lack."""
    for name in ("runtime_notes", "calibration_data"):
        op.add_column("records", sa.Column(name, sa.Text, nullable=False, server_default=""))
    for name in ("quantization_error", "quantize_s", "float32_l2_error", "float32_agreement"):
        op.add_column("records", sa.Column(name, sa.Double))
