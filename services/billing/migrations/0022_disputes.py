"""Payments that who paid contests at their bank."""

from alembic import op

from chassis.database import schema

revision = "0022"
down_revision = "0021"

_TABLES = """
ALTER TABLE wrtn_payments DROP CONSTRAINT wrtn_payments_state_check;
ALTER TABLE wrtn_payments ADD CONSTRAINT wrtn_payments_state_check CHECK (state BETWEEN 1 AND 7);

CREATE TABLE wrtn_disputes (
    tenant_id uuid NOT NULL,
    provider_dispute_id text NOT NULL,
    payment_id uuid NOT NULL,
    state smallint NOT NULL CONSTRAINT wrtn_disputes_state_check CHECK (state IN (3, 6, 7)),
    amount numeric NOT NULL CONSTRAINT wrtn_disputes_amount_check CHECK (amount > 0),
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, provider_dispute_id),
    FOREIGN KEY (tenant_id, payment_id) REFERENCES wrtn_payments
);
"""


def upgrade() -> None:
    """Creates the table, and lets payments be contested and lost."""
    op.execute(_TABLES)
    schema.tenant_table(op, "wrtn_disputes")
