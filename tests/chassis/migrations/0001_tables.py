"""The tables of the service that the tests of the chassis play."""

from alembic import op

from chassis.audit.schema import audit_tables
from chassis.database import schema
from chassis.operations.schema import operation_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Creates the chassis' tables, a table of tenants, notes of a tenant, and insert-only records."""
    schema.chassis_tables(op)
    audit_tables(op)
    operation_tables(op)
    op.execute("CREATE TABLE wrtn_enterprises (tenant_id uuid PRIMARY KEY, owner_id uuid, display_name text)")
    schema.tenant_table(op, "wrtn_enterprises", member_column="owner_id")
    schema.tenant_list(op, "wrtn_enterprises", "tenant_id")
    op.execute(
        "CREATE TABLE wrtn_notes (tenant_id uuid NOT NULL, id uuid NOT NULL, body text NOT NULL, "
        "CONSTRAINT wrtn_notes_pkey PRIMARY KEY (tenant_id, id))"
    )
    schema.tenant_table(op, "wrtn_notes")
    op.execute(
        "CREATE TABLE wrtn_records (tenant_id uuid NOT NULL, id uuid NOT NULL, PRIMARY KEY (tenant_id, id))"
    )
    schema.tenant_table(op, "wrtn_records")
    schema.insert_only(op, "wrtn_records")
