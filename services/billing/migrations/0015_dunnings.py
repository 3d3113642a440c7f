"""Dunning for invoices past due, and what others were told of how a tenant pays."""

from alembic import op

from chassis.database import schema

revision = "0015"
down_revision = "0014"

_TABLES = """
CREATE TABLE wrtn_dunnings (
    tenant_id uuid NOT NULL,
    invoice_id uuid NOT NULL,
    steps smallint NOT NULL,
    due_time timestamptz NOT NULL,
    next_time timestamptz,
    overdue boolean NOT NULL,
    create_time timestamptz NOT NULL,
    end_time timestamptz,
    PRIMARY KEY (tenant_id, invoice_id),
    FOREIGN KEY (tenant_id, invoice_id) REFERENCES wrtn_invoices,
    CONSTRAINT wrtn_dunnings_end_time_check CHECK (end_time IS NULL OR next_time IS NULL)
);
CREATE INDEX wrtn_dunnings_running_idx ON wrtn_dunnings (tenant_id) WHERE end_time IS NULL;

CREATE TABLE wrtn_payment_standings (
    tenant_id uuid PRIMARY KEY,
    overdue boolean NOT NULL,
    version bigint NOT NULL
);
"""


def upgrade() -> None:
    """Creates the tables; the worker role sees who is to be dunned."""
    op.execute(_TABLES)
    for table in ("wrtn_dunnings", "wrtn_payment_standings"):
        schema.tenant_table(op, table)
    schema.tenant_list(op, "wrtn_dunnings", "tenant_id", "end_time")
    schema.tenant_list(op, "wrtn_invoices", "tenant_id", "state", "due_time")
