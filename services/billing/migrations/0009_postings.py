"""What postings were made for, once for each reference; times that never go back along the ledger."""

from alembic import op

from chassis.database import schema

revision = "0009"
down_revision = "0008"

_TABLES = """
CREATE TABLE wrtn_postings (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    reference text NOT NULL,
    digest bytea NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT wrtn_postings_reference_key UNIQUE (tenant_id, reference)
);

ALTER TABLE wrtn_ledgers ADD last_time timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00';
"""


def upgrade() -> None:
    """Creates the table. Postings of batches of usages have no row in it: they need no reference."""
    op.execute(_TABLES)
    schema.tenant_table(op, "wrtn_postings")
    schema.insert_only(op, "wrtn_postings")
