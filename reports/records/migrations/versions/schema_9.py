"""How many instructions an inference executes, and indices.

They find the newest row of every cell of a target, and the rows with an accuracy.
"""

import sqlalchemy as sa
from alembic import op

revision = "9"
down_revision = "8"

_CELL = (
    *("target", "device", "threads", "precision", "optimize_for"),
    *("variant", "weights", "runtime", "emulated"),
)
_EXAMINED = ("variant", "weights", "precision", "runtime", "images")


def upgrade() -> None:
    """Add what records lack; rows stay as they are."""
    op.add_column("records", sa.Column("instructions", sa.BigInteger))
    op.create_index("records_cells", "records", _CELL)
    examined = sa.text("images > 0")
    op.create_index(
        "records_examined",
        "records",
        _EXAMINED,
        sqlite_where=examined,
        postgresql_where=examined,
    )
