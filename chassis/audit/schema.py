"""The tables of the audit trail, for migrations: entries, what waits to be sealed, and the chain of seals."""

from __future__ import annotations

from chassis.database.schema import Operations, global_table, insert_only, tenant_table, worker_reads

_DDL = """
CREATE TABLE wrtn_audit_entries (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    action text NOT NULL,
    actor_kind text NOT NULL,
    member_id uuid,
    account_id uuid,
    login_id uuid,
    credential_id uuid,
    peer text NOT NULL,
    staff_right integer NOT NULL,
    target_id uuid,
    method text NOT NULL,
    request_id text NOT NULL,
    trace_id text NOT NULL,
    details jsonb NOT NULL,
    private bytea,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX wrtn_audit_entries_member_idx ON wrtn_audit_entries (tenant_id, member_id, create_time);

-- A queue, since commits come out of order: no watermark over the entries would be right.
CREATE TABLE wrtn_audit_unsealed (
    tenant_id uuid NOT NULL,
    entry_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, entry_id)
);

-- Without foreign key: a seal tells of an entry that was taken away.
CREATE TABLE wrtn_audit_seals (
    tenant_id uuid NOT NULL,
    sequence bigint NOT NULL,
    entry_id uuid NOT NULL,
    hash bytea NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, sequence),
    UNIQUE (tenant_id, entry_id)
);
"""


def audit_tables(op: Operations) -> None:
    """Creates them. The app role only adds entries, the worker role only adds seals; neither alters any."""
    op.execute(_DDL)
    for table in ("wrtn_audit_entries", "wrtn_audit_seals"):
        tenant_table(op, table)
        insert_only(op, table)
    worker_reads(op, "wrtn_audit_entries")
    worker_reads(op, "wrtn_audit_seals", adds=True)
    global_table(
        op, "wrtn_audit_unsealed", app="INSERT", worker="SELECT, DELETE", why="ids that wait for their seal"
    )
