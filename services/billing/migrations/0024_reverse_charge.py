"""Invoices on which the buyer owes the tax to their own tax office."""

from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Adds the column; none was such before, nor is one that the older version writes."""
    op.execute("ALTER TABLE wrtn_invoices ADD COLUMN reverse_charge boolean NOT NULL DEFAULT false")
