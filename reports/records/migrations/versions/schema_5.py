"""Accuracy and fidelity of detectors and segmenters; activations and confirmations."""

import sqlalchemy as sa
from alembic import op

revision = "5"
down_revision = None  # 4, the oldest schema that can be brought up to date

_COLUMNS = (
    *("max_box_error_px", "map_percent", "map_ci95_low_percent", "map_ci95_high_percent"),
    *("map50_percent", "map50_ci95_low_percent", "map50_ci95_high_percent"),
    *("miou_percent", "miou_ci95_low_percent", "miou_ci95_high_percent"),
    *("pytorch_map_percent", "pytorch_map50_percent", "pytorch_miou_percent"),
)


def upgrade() -> None:
    """Add what records lack."""
    for name in _COLUMNS:
        op.add_column("records", sa.Column(name, sa.Double))
