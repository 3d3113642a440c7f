"""Budgets, their periods and changes, reservations; what billing knows of enterprises and accounts."""

from alembic import op

from chassis.database import schema

revision = "0003"
down_revision = "0002"

_ORGANISATION = """
CREATE TABLE wrtn_known_enterprises (
    tenant_id uuid PRIMARY KEY,
    time_zone text NOT NULL,
    version bigint NOT NULL
);

CREATE TABLE wrtn_known_accounts (
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    holder_member_id uuid NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (tenant_id, account_id)
);

CREATE TABLE wrtn_known_employees (
    tenant_id uuid NOT NULL,
    employee_id uuid NOT NULL,
    member_id uuid NOT NULL,
    title smallint NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (tenant_id, employee_id)
);
CREATE UNIQUE INDEX wrtn_known_employees_member_key ON wrtn_known_employees (tenant_id, member_id);

CREATE TABLE wrtn_known_teams (
    tenant_id uuid NOT NULL,
    team_id uuid NOT NULL,
    parent_team_id uuid,
    archived boolean NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (tenant_id, team_id)
);

CREATE TABLE wrtn_known_companions (
    tenant_id uuid NOT NULL,
    employee_id uuid NOT NULL,
    team_id uuid NOT NULL,
    role smallint NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (tenant_id, employee_id, team_id)
);
"""

_BUDGETS = """
CREATE TABLE wrtn_budgets (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    team_id uuid,
    employee_id uuid,
    resource text NOT NULL,
    period smallint NOT NULL CONSTRAINT wrtn_budgets_period_check CHECK (period BETWEEN 1 AND 4),
    amount numeric NOT NULL CONSTRAINT wrtn_budgets_amount_check CHECK (amount >= 0),
    currency text NOT NULL,
    thresholds numeric[] NOT NULL,
    soft boolean NOT NULL,
    requests_per_minute integer NOT NULL,
    tokens_per_minute bigint NOT NULL,
    version bigint NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    archive_time timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX wrtn_budgets_target_key
    ON wrtn_budgets (tenant_id, team_id, employee_id, resource, period)
    NULLS NOT DISTINCT WHERE archive_time IS NULL;

CREATE TABLE wrtn_budget_changes (
    tenant_id uuid NOT NULL,
    budget_id uuid NOT NULL,
    sequence bigint NOT NULL,
    amount numeric NOT NULL,
    thresholds numeric[] NOT NULL,
    soft boolean NOT NULL,
    requests_per_minute integer NOT NULL,
    tokens_per_minute bigint NOT NULL,
    archived boolean NOT NULL,
    decider_member_id uuid NOT NULL,
    reason bytea,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, budget_id, sequence),
    FOREIGN KEY (tenant_id, budget_id) REFERENCES wrtn_budgets
);

CREATE TABLE wrtn_budget_periods (
    tenant_id uuid NOT NULL,
    budget_id uuid NOT NULL,
    start_time timestamptz NOT NULL,
    end_time timestamptz,
    spent numeric NOT NULL,
    reserved numeric NOT NULL CONSTRAINT wrtn_budget_periods_reserved_check CHECK (reserved >= 0),
    requests double precision NOT NULL,
    tokens double precision NOT NULL,
    drain_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, budget_id, start_time),
    FOREIGN KEY (tenant_id, budget_id) REFERENCES wrtn_budgets,
    CONSTRAINT wrtn_budget_periods_end_check CHECK (end_time > start_time)
);

CREATE TABLE wrtn_budget_notices (
    tenant_id uuid NOT NULL,
    budget_id uuid NOT NULL,
    start_time timestamptz NOT NULL,
    threshold numeric NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, budget_id, start_time, threshold),
    FOREIGN KEY (tenant_id, budget_id) REFERENCES wrtn_budgets
);

CREATE TABLE wrtn_reservations (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    request_hash bytea NOT NULL,
    state text NOT NULL
        CONSTRAINT wrtn_reservations_state_check CHECK (state IN ('HELD', 'SETTLED', 'RELEASED', 'EXPIRED')),
    amount numeric NOT NULL CONSTRAINT wrtn_reservations_amount_check CHECK (amount >= 0),
    settled_amount numeric NOT NULL,
    currency text NOT NULL,
    account_id uuid NOT NULL,
    member_id uuid NOT NULL,
    employee_id uuid,
    team_id uuid,
    ancestor_team_ids uuid[] NOT NULL,
    title smallint NOT NULL,
    role smallint NOT NULL,
    model text NOT NULL,
    budget_ids uuid[] NOT NULL,
    period_start_times timestamptz[] NOT NULL,
    expire_time timestamptz NOT NULL,
    create_time timestamptz NOT NULL,
    end_time timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX wrtn_reservations_held_idx ON wrtn_reservations (tenant_id, expire_time) WHERE state = 'HELD';

ALTER TABLE wrtn_usages ADD reservation_id uuid;
"""

_TABLES = (
    "wrtn_known_enterprises",
    "wrtn_known_accounts",
    "wrtn_known_employees",
    "wrtn_known_teams",
    "wrtn_known_companions",
    "wrtn_budgets",
    "wrtn_budget_changes",
    "wrtn_budget_periods",
    "wrtn_budget_notices",
    "wrtn_reservations",
)


def upgrade() -> None:
    """Creates the tables. A usage of the version before names no reservation."""
    op.execute(_ORGANISATION)
    op.execute(_BUDGETS)
    for table in _TABLES:
        schema.tenant_table(op, table)
    for table in ("wrtn_budget_changes", "wrtn_budget_notices"):
        schema.insert_only(op, table)
