"""What stands on invoices, and how far credits are shown on them."""

from alembic import op

from chassis.database import schema

revision = "0017"
down_revision = "0016"

_TABLES = """
CREATE TABLE wrtn_invoice_settings (
    tenant_id uuid PRIMARY KEY,
    details bytea NOT NULL,
    version bigint NOT NULL,
    update_time timestamptz NOT NULL
);
ALTER TABLE wrtn_closings
    ADD sequence bigint NOT NULL DEFAULT 0,
    ADD credits numeric NOT NULL DEFAULT 0;
"""


def upgrade() -> None:
    """Creates the table. Nothing is invoiced yet, so that no credits are."""
    op.execute(_TABLES)
    schema.tenant_table(op, "wrtn_invoice_settings")
