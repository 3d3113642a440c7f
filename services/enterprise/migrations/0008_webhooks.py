"""Webhook endpoints with their deliveries."""

from alembic import op

from chassis.database import schema

revision = "0008"
down_revision = "0007"

_TABLES = """
CREATE TABLE wrtn_webhook_endpoints (
    tenant_id uuid NOT NULL REFERENCES wrtn_enterprises,
    id uuid NOT NULL,
    url bytea NOT NULL,
    description text NOT NULL,
    event_types text[] NOT NULL,
    state text NOT NULL,
    disable_reason text,
    failing_time timestamptz,
    version integer NOT NULL,
    create_time timestamptz NOT NULL,
    delete_time timestamptz,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT wrtn_webhook_endpoints_state_check CHECK (state IN ('ENABLED', 'DISABLED')),
    CONSTRAINT wrtn_webhook_endpoints_reason_check CHECK (disable_reason IN ('REQUESTED', 'FAILING', 'GONE')),
    CONSTRAINT wrtn_webhook_endpoints_disabled_check
        CHECK ((state = 'DISABLED') = (disable_reason IS NOT NULL))
);

CREATE TABLE wrtn_webhook_secrets (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    secret bytea NOT NULL,
    expire_time timestamptz,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, endpoint_id) REFERENCES wrtn_webhook_endpoints (tenant_id, id)
);
CREATE INDEX ON wrtn_webhook_secrets (endpoint_id, tenant_id);

CREATE TABLE wrtn_webhook_events (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    type text NOT NULL,
    object_id uuid NOT NULL,
    version bigint NOT NULL,
    body bytea NOT NULL,
    event_time timestamptz NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX ON wrtn_webhook_events (tenant_id, event_time);
CREATE INDEX ON wrtn_webhook_events (tenant_id, create_time);

CREATE TABLE wrtn_webhook_deliveries (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    event_id uuid NOT NULL,
    event_type text NOT NULL,
    object_id uuid NOT NULL,
    version bigint NOT NULL,
    replay boolean NOT NULL,
    state text NOT NULL,
    attempts integer NOT NULL,
    last_status integer,
    due_time timestamptz,
    claim_time timestamptz,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, endpoint_id) REFERENCES wrtn_webhook_endpoints (tenant_id, id),
    FOREIGN KEY (tenant_id, event_id) REFERENCES wrtn_webhook_events (tenant_id, id),
    CONSTRAINT wrtn_webhook_deliveries_state_check
        CHECK (state IN ('PENDING', 'DELIVERED', 'FAILED', 'SKIPPED')),
    CONSTRAINT wrtn_webhook_deliveries_due_check CHECK (state = 'PENDING' OR due_time IS NULL)
);
CREATE INDEX wrtn_webhook_deliveries_due_idx ON wrtn_webhook_deliveries (due_time)
    WHERE due_time IS NOT NULL;
CREATE INDEX wrtn_webhook_deliveries_endpoint_due_idx
    ON wrtn_webhook_deliveries (endpoint_id, due_time, tenant_id) WHERE due_time IS NOT NULL;
CREATE INDEX wrtn_webhook_deliveries_object_idx
    ON wrtn_webhook_deliveries (endpoint_id, object_id, version, tenant_id);
CREATE INDEX ON wrtn_webhook_deliveries (endpoint_id, id, tenant_id);
CREATE INDEX ON wrtn_webhook_deliveries (event_id, tenant_id);
CREATE INDEX ON wrtn_webhook_deliveries (tenant_id, create_time);

CREATE TABLE wrtn_webhook_attempts (
    tenant_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    number integer NOT NULL,
    status integer,
    failure text,
    excerpt bytea,
    milliseconds integer NOT NULL,
    attempt_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, delivery_id, number),
    FOREIGN KEY (tenant_id, delivery_id) REFERENCES wrtn_webhook_deliveries (tenant_id, id) ON DELETE CASCADE
);
"""


def upgrade() -> None:
    """Creates the tables. The worker sees of some whose they are and when they are due, and no more."""
    op.execute(_TABLES)
    for table in ("endpoints", "secrets", "events", "deliveries", "attempts"):
        schema.tenant_table(op, f"wrtn_webhook_{table}")
    schema.tenant_list(op, "wrtn_webhook_endpoints", "tenant_id")
    schema.tenant_list(op, "wrtn_webhook_deliveries", "tenant_id", "due_time")
