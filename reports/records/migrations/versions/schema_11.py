"""How long cold starts take, and the stages from an image file to an answer."""

import sqlalchemy as sa
from alembic import op

revision = "11"
down_revision = "9"

_STAGES = (
    *("decode", "resize", "normalise", "inference"),
    *("boxes", "suppress", "label", "mask", "top_k"),
)
_TIMES = (
    *("load_ms", "first_inference_ms", "end_to_end_ms"),
    *(f"stage_{name}_ms" for name in _STAGES),
)


def upgrade() -> None:
    """Add what records lack; rows stay as they are."""
    for name in _TIMES:
        op.add_column("records", sa.Column(name, sa.Double))
    op.add_column("records", sa.Column("stage_images", sa.BigInteger))
