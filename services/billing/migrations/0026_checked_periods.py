"""What was found when a period that is over was reconciled last."""

from alembic import op

from chassis.database import schema

revision = "0026"
down_revision = "0025"

_TABLE = """
CREATE TABLE wrtn_checked_periods (
    tenant_id uuid NOT NULL,
    book text NOT NULL CONSTRAINT wrtn_checked_periods_book_check CHECK (book IN ('usages', 'invoices')),
    start_time timestamptz NOT NULL,
    said numeric NOT NULL,
    found numeric NOT NULL,
    check_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, book, start_time)
)
"""


def upgrade() -> None:
    """Creates the table."""
    op.execute(_TABLE)
    schema.tenant_table(op, "wrtn_checked_periods")
