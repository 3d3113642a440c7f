"""Requests for more budget, and the extras that were approved."""

from alembic import op

from chassis.database import schema

revision = "0007"
down_revision = "0006"

_TABLES = """
CREATE TABLE wrtn_budget_increases (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    budget_id uuid NOT NULL,
    employee_id uuid NOT NULL,
    member_id uuid NOT NULL,
    amount numeric NOT NULL CONSTRAINT wrtn_budget_increases_amount_check CHECK (amount > 0),
    end_time timestamptz NOT NULL,
    reason bytea NOT NULL,
    state smallint NOT NULL CONSTRAINT wrtn_budget_increases_state_check CHECK (state BETWEEN 1 AND 4),
    decider_member_id uuid,
    decision_reason bytea,
    create_time timestamptz NOT NULL,
    decide_time timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, budget_id) REFERENCES wrtn_budgets
);
CREATE UNIQUE INDEX wrtn_budget_increases_open_key
    ON wrtn_budget_increases (tenant_id, budget_id, employee_id) WHERE state = 1;

CREATE TABLE wrtn_budget_extras (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    budget_id uuid NOT NULL,
    amount numeric NOT NULL CONSTRAINT wrtn_budget_extras_amount_check CHECK (amount > 0),
    start_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL,
    decider_member_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, id) REFERENCES wrtn_budget_increases,
    FOREIGN KEY (tenant_id, budget_id) REFERENCES wrtn_budgets
);
CREATE INDEX wrtn_budget_extras_end_time_idx ON wrtn_budget_extras (tenant_id, budget_id, end_time);
"""


def upgrade() -> None:
    """Creates the tables. The version before this one admits without the extras."""
    op.execute(_TABLES)
    for table in ("wrtn_budget_increases", "wrtn_budget_extras"):
        schema.tenant_table(op, table)
    schema.insert_only(op, "wrtn_budget_extras")
