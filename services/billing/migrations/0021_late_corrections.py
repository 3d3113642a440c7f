"""Correcting entries of usage that was invoiced before they were made; which invoice a line corrects."""

from alembic import op

from chassis.database import schema

revision = "0021"
down_revision = "0020"

_TABLES = """
CREATE TABLE wrtn_late_corrections (
    tenant_id uuid NOT NULL,
    history_id uuid NOT NULL,
    correction_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    bill_time timestamptz,
    PRIMARY KEY (tenant_id, history_id, correction_id)
);
CREATE INDEX wrtn_late_corrections_bill_time_idx ON wrtn_late_corrections (tenant_id, bill_time);
ALTER TABLE wrtn_invoice_lines ADD COLUMN corrected_invoice_id uuid;
"""
# What was corrected until now was credited without an invoice, or is on none: no invoice will have it.
_BEFORE = """
INSERT INTO wrtn_late_corrections (tenant_id, history_id, correction_id, invoice_id)
SELECT tenant_id, history_id, correction_id, '00000000-0000-0000-0000-000000000000'
FROM wrtn_usage_corrections
"""


def upgrade() -> None:
    """Creates the table, with the entries that there are."""
    op.execute(_TABLES)
    # The owner is under row level security, too: for this one statement they see the rows of all tenants.
    op.execute("ALTER TABLE wrtn_usage_corrections NO FORCE ROW LEVEL SECURITY")
    op.execute(_BEFORE)
    op.execute("ALTER TABLE wrtn_usage_corrections FORCE ROW LEVEL SECURITY")
    schema.tenant_table(op, "wrtn_late_corrections")
    schema.insert_only(op, "wrtn_late_corrections")
