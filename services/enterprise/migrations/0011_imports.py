"""Imports of people: what became of each row, and the long work itself."""

from alembic import op

from chassis.database import schema
from chassis.operations.schema import operation_tables

revision = "0011"
down_revision = "0010"

_ROWS = """
CREATE TABLE wrtn_import_rows (
    tenant_id uuid NOT NULL,
    operation_id uuid NOT NULL,
    number integer NOT NULL,
    outcome text NOT NULL,
    reason text NOT NULL,
    column_name text NOT NULL,
    message text NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, operation_id, number),
    CONSTRAINT wrtn_import_rows_outcome_check
        CHECK (outcome IN ('VALID', 'INVITED', 'CHANGED', 'UNCHANGED', 'FAILED'))
);
"""


def upgrade() -> None:
    """Creates the tables."""
    op.execute(_ROWS)
    schema.tenant_table(op, "wrtn_import_rows")
    operation_tables(op)
