"""Grants with their defaults and the record of their changes, requests for rights, and visibility."""

from alembic import op

from chassis.database import schema

revision = "0005"
down_revision = "0004"

_TABLES = """
ALTER TABLE wrtn_enterprises
    ADD COLUMN last_grant_change bigint NOT NULL DEFAULT 0,
    ADD COLUMN last_grant_request bigint NOT NULL DEFAULT 0;

CREATE TABLE wrtn_grants (
    tenant_id uuid NOT NULL REFERENCES wrtn_enterprises,
    id uuid NOT NULL,
    team_id uuid,
    resource text NOT NULL,
    effect smallint NOT NULL,
    layer smallint NOT NULL,
    locked boolean NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE NULLS NOT DISTINCT (resource, team_id, tenant_id, layer),
    FOREIGN KEY (tenant_id, team_id) REFERENCES wrtn_teams (tenant_id, id),
    CONSTRAINT wrtn_grants_effect_check CHECK (effect BETWEEN 1 AND 2),
    CONSTRAINT wrtn_grants_layer_check CHECK (layer = 1 OR layer = 2 AND effect = 2 AND team_id IS NOT NULL),
    CONSTRAINT wrtn_grants_locked_check CHECK (NOT locked OR layer = 1 AND effect = 2 AND team_id IS NULL)
);
CREATE INDEX ON wrtn_grants (team_id, tenant_id, resource, layer);

CREATE TABLE wrtn_grant_defaults (
    tenant_id uuid NOT NULL REFERENCES wrtn_enterprises,
    kind text NOT NULL,
    effect smallint NOT NULL,
    update_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, kind),
    CONSTRAINT wrtn_grant_defaults_effect_check CHECK (effect BETWEEN 1 AND 2)
);

CREATE TABLE wrtn_grant_changes (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL,
    team_id uuid,
    resource text NOT NULL,
    layer smallint NOT NULL,
    effect_before smallint NOT NULL,
    effect_after smallint NOT NULL,
    locked_before boolean NOT NULL,
    locked_after boolean NOT NULL,
    decider_employee_id uuid NOT NULL,
    grant_request_id uuid,
    reason bytea,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, sequence),
    FOREIGN KEY (tenant_id, decider_employee_id) REFERENCES wrtn_employees (tenant_id, id),
    FOREIGN KEY (tenant_id, team_id) REFERENCES wrtn_teams (tenant_id, id),
    CONSTRAINT wrtn_grant_changes_change_check CHECK (
        effect_before <> effect_after OR locked_before <> locked_after
    )
);
CREATE INDEX ON wrtn_grant_changes (team_id, tenant_id, sequence);

CREATE TABLE wrtn_grant_requests (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL,
    employee_id uuid NOT NULL,
    team_id uuid,
    resource text NOT NULL,
    reason bytea NOT NULL,
    state smallint NOT NULL,
    decider_employee_id uuid,
    decision_reason bytea,
    create_time timestamptz NOT NULL,
    decide_time timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, sequence),
    FOREIGN KEY (tenant_id, employee_id) REFERENCES wrtn_employees (tenant_id, id),
    FOREIGN KEY (tenant_id, decider_employee_id) REFERENCES wrtn_employees (tenant_id, id),
    FOREIGN KEY (tenant_id, team_id) REFERENCES wrtn_teams (tenant_id, id),
    CONSTRAINT wrtn_grant_requests_state_check CHECK (state BETWEEN 1 AND 4),
    CONSTRAINT wrtn_grant_requests_decided_check CHECK ((state = 1) = (decide_time IS NULL))
);
CREATE UNIQUE INDEX wrtn_grant_requests_open_idx ON wrtn_grant_requests (employee_id, resource, tenant_id)
    WHERE state = 1;
CREATE INDEX ON wrtn_grant_requests (employee_id, tenant_id, sequence);
CREATE INDEX ON wrtn_grant_requests (team_id, tenant_id, sequence);

CREATE TABLE wrtn_visibilities (
    tenant_id uuid PRIMARY KEY REFERENCES wrtn_enterprises,
    content_readable boolean NOT NULL,
    version integer NOT NULL,
    update_time timestamptz NOT NULL
);
"""


def upgrade() -> None:
    """Creates the tables and puts every one under row level security."""
    op.execute(_TABLES)
    for table in (
        "wrtn_grants",
        "wrtn_grant_defaults",
        "wrtn_grant_changes",
        "wrtn_grant_requests",
        "wrtn_visibilities",
    ):
        schema.tenant_table(op, table)
    schema.insert_only(op, "wrtn_grant_changes")
