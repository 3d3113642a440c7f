"""The table of operations, for migrations."""

from __future__ import annotations

from chassis.database.schema import Operations, tenant_table, worker_leases

_DDL = """
CREATE TABLE wrtn_operations (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    state text NOT NULL CONSTRAINT wrtn_operations_state_check
        CHECK (state IN ('PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
    key text,
    member_id uuid,
    request bytea NOT NULL,
    step text NOT NULL,
    done bigint NOT NULL,
    total bigint NOT NULL,
    message text NOT NULL,
    error bytea,
    result jsonb NOT NULL,
    failures integer NOT NULL,
    start_time timestamptz NOT NULL,
    due_time timestamptz NOT NULL,
    cancel_time timestamptz,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    end_time timestamptz,
    lease_holder text,
    lease_expire_time timestamptz,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT wrtn_operations_end_check CHECK ((state IN ('PENDING', 'RUNNING')) = (end_time IS NULL))
);
CREATE INDEX wrtn_operations_due_idx ON wrtn_operations (due_time) WHERE end_time IS NULL;
CREATE INDEX wrtn_operations_member_idx ON wrtn_operations (member_id, create_time, id);
CREATE INDEX wrtn_operations_newest_idx ON wrtn_operations (tenant_id, create_time, id);
CREATE UNIQUE INDEX wrtn_operations_key_key ON wrtn_operations (tenant_id, kind, key) WHERE end_time IS NULL;
"""


def operation_tables(op: Operations) -> None:
    """Creates it. The worker role finds what is due in all tenants, and holds the leases; no more."""
    op.execute(_DDL)
    tenant_table(op, "wrtn_operations", member_column="member_id")
    worker_leases(
        op,
        "wrtn_operations",
        reads="tenant_id, id, kind, state, due_time, end_time, lease_holder, lease_expire_time",
        writes="lease_holder, lease_expire_time",
    )
