"""The index of audit copies."""

from alembic import op

from chassis.database.schema import insert_only, tenant_table, worker_reads

revision = "0003"
down_revision = "0002"

_TABLES = """
CREATE TABLE wrtn_audit_copies (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    service text NOT NULL,
    action text NOT NULL,
    actor_id uuid,
    target_id uuid,
    create_time timestamptz NOT NULL,
    entry bytea NOT NULL,
    CONSTRAINT wrtn_audit_copies_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX wrtn_audit_copies_newest_idx ON wrtn_audit_copies (tenant_id, create_time, id);
CREATE INDEX wrtn_audit_copies_actor_idx ON wrtn_audit_copies (actor_id, create_time);
CREATE INDEX wrtn_audit_copies_target_idx ON wrtn_audit_copies (target_id, create_time);
CREATE INDEX wrtn_audit_copies_all_idx ON wrtn_audit_copies (create_time, id);
"""


def upgrade() -> None:
    """Creates the table. Staff search all tenants by the worker role; it holds ids alone."""
    op.execute(_TABLES)
    tenant_table(op, "wrtn_audit_copies")
    insert_only(op, "wrtn_audit_copies")
    worker_reads(op, "wrtn_audit_copies")
