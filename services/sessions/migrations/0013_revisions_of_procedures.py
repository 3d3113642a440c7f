"""How often a procedure was changed: its etag, and the aggregate version of its events."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Adds the column; the older version leaves it as it is."""
    op.execute("ALTER TABLE wrtn_procedures ADD COLUMN revision bigint NOT NULL DEFAULT 1")
