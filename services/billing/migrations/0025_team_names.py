"""What teams were called when their invoice was finalised."""

from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Adds the column; lines of before, and of the older version, name none."""
    op.execute("ALTER TABLE wrtn_invoice_lines ADD COLUMN team_name text NOT NULL DEFAULT ''")
