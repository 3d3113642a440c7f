"""Sessions, tickets, connections, histories, attributions, and the processes that serve."""

from alembic import op

from chassis.database import schema

revision = "0001"
down_revision = None

_TABLES = """
CREATE TABLE wrtn_chat_sessions (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    opener_member_id uuid NOT NULL,
    model text NOT NULL,
    team_id uuid,
    title bytea,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    last_activity_time timestamptz NOT NULL,
    delete_time timestamptz,
    last_sequence bigint NOT NULL DEFAULT 0,
    input_total bigint NOT NULL DEFAULT 0,
    input_cached bigint NOT NULL DEFAULT 0,
    output_total bigint NOT NULL DEFAULT 0,
    output_reasoning bigint NOT NULL DEFAULT 0,
    output_accepted_prediction bigint NOT NULL DEFAULT 0,
    output_rejected_prediction bigint NOT NULL DEFAULT 0,
    CONSTRAINT wrtn_chat_sessions_pkey PRIMARY KEY (tenant_id, id)
) WITH (fillfactor = 80);
CREATE INDEX wrtn_chat_sessions_activity_idx
    ON wrtn_chat_sessions (tenant_id, account_id, last_activity_time, id) WHERE delete_time IS NULL;

CREATE TABLE wrtn_tickets (
    tenant_id uuid NOT NULL,
    ticket_hash bytea NOT NULL,
    chat_session_id uuid NOT NULL,
    account_id uuid NOT NULL,
    member_id uuid NOT NULL,
    login_id uuid NOT NULL,
    expire_time timestamptz NOT NULL,
    CONSTRAINT wrtn_tickets_pkey PRIMARY KEY (tenant_id, ticket_hash)
);
CREATE INDEX wrtn_tickets_expire_time_idx ON wrtn_tickets (tenant_id, expire_time);

CREATE TABLE wrtn_connections (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    chat_session_id uuid NOT NULL,
    account_id uuid NOT NULL,
    member_id uuid NOT NULL,
    login_id uuid NOT NULL,
    credential_id uuid NOT NULL,
    process_id uuid,
    resumed_connection_id uuid,
    client bytea,
    address bytea,
    connect_time timestamptz NOT NULL,
    disconnect_time timestamptz,
    CONSTRAINT wrtn_connections_pkey PRIMARY KEY (tenant_id, id)
);
-- Led by the session, and not by the tenant: a look-up of one row by tenant and id must find no index but
-- the primary key to its liking, also while the planner knows nothing of the table. With an index that the
-- tenant leads it then reads every row of the tenant.
CREATE INDEX wrtn_connections_session_idx
    ON wrtn_connections (chat_session_id, tenant_id, connect_time, id);
CREATE INDEX wrtn_connections_credential_idx ON wrtn_connections (credential_id, id);
CREATE INDEX wrtn_connections_process_idx
    ON wrtn_connections (process_id, tenant_id) WHERE disconnect_time IS NULL;

CREATE TABLE wrtn_attributions (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    member_id uuid NOT NULL,
    employee_id uuid,
    team_id uuid,
    ancestor_team_ids uuid[] NOT NULL,
    title smallint NOT NULL,
    role smallint NOT NULL,
    CONSTRAINT wrtn_attributions_pkey PRIMARY KEY (tenant_id, id)
);

CREATE TABLE wrtn_histories (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    chat_session_id uuid NOT NULL,
    sequence bigint NOT NULL,
    connection_id uuid NOT NULL,
    attribution_id uuid NOT NULL,
    type text NOT NULL,
    body bytea NOT NULL,
    create_time timestamptz NOT NULL,
    model text,
    input_total bigint,
    input_cached bigint,
    output_total bigint,
    output_reasoning bigint,
    output_accepted_prediction bigint,
    output_rejected_prediction bigint,
    CONSTRAINT wrtn_histories_pkey PRIMARY KEY (tenant_id, id),
    -- Led by the session, for the reason given at the connections.
    CONSTRAINT wrtn_histories_sequence_key UNIQUE (chat_session_id, tenant_id, sequence)
);
-- Ciphertext does not compress: trying would only cost time.
ALTER TABLE wrtn_histories ALTER COLUMN body SET STORAGE EXTERNAL;

CREATE TABLE wrtn_processes (
    id uuid NOT NULL,
    heartbeat_time timestamptz NOT NULL,
    CONSTRAINT wrtn_processes_pkey PRIMARY KEY (id)
);

CREATE TABLE wrtn_process_tenants (
    process_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    CONSTRAINT wrtn_process_tenants_pkey PRIMARY KEY (process_id, tenant_id)
);
"""


def upgrade() -> None:
    """Creates the tables and puts their guards up."""
    schema.chassis_tables(op)
    op.execute(_TABLES)
    schema.tenant_table(op, "wrtn_chat_sessions")
    schema.tenant_table(op, "wrtn_tickets")
    # A credential finds the connections that it opened, in whichever tenant: just the id comes over the wire.
    schema.tenant_table(op, "wrtn_connections", member_column="credential_id")
    schema.tenant_table(op, "wrtn_attributions")
    schema.tenant_table(op, "wrtn_histories")
    schema.insert_only(op, "wrtn_attributions")
    schema.insert_only(op, "wrtn_histories")
    schema.global_table(op, "wrtn_processes", why="who serves, and when it was last alive")
    schema.global_table(
        op, "wrtn_process_tenants", why="ids of tenants, to close what a dead process left open"
    )
