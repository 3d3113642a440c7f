"""The procedure for which something was used."""

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Adds the column; what was used before, and what the older version writes, names none."""
    op.execute("ALTER TABLE wrtn_usages ADD COLUMN procedure_id uuid")
