"""The reservation of billing that a usage settles."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Adds the column; a resent frame is compared with it, and the older version leaves it empty."""
    op.execute("ALTER TABLE wrtn_histories ADD COLUMN reservation_id uuid")
