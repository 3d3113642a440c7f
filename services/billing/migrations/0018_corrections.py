"""Corrections of what was rated; long work; models without a price; whose sums are reconciled."""

from alembic import op

from chassis.database import schema
from chassis.operations.schema import operation_tables

revision = "0018"
down_revision = "0017"

_TABLES = """
CREATE TABLE wrtn_corrections (
    id uuid NOT NULL,
    state smallint NOT NULL,
    price_id uuid,
    rates jsonb,
    start_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL,
    operation_id uuid NOT NULL,
    proposer_member_id uuid NOT NULL,
    decider_member_id uuid,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT wrtn_corrections_rates_check CHECK ((price_id IS NULL) = (rates IS NULL)),
    CONSTRAINT wrtn_corrections_decider_check CHECK (
        price_id IS NULL OR state NOT IN (3, 4) OR decider_member_id <> proposer_member_id)
);

CREATE TABLE wrtn_correction_differences (
    tenant_id uuid NOT NULL,
    correction_id uuid NOT NULL,
    team_id uuid NOT NULL,
    usage_count bigint NOT NULL,
    cost numeric NOT NULL,
    charge numeric NOT NULL,
    currency text NOT NULL,
    PRIMARY KEY (tenant_id, correction_id, team_id)
);

CREATE TABLE wrtn_usage_corrections (
    tenant_id uuid NOT NULL,
    history_id uuid NOT NULL,
    correction_id uuid NOT NULL,
    price_id uuid,
    cost numeric NOT NULL,
    charge numeric NOT NULL,
    price_rule_ids uuid[] NOT NULL,
    exchange_rate_id uuid,
    newly_priced smallint NOT NULL,
    use_time timestamptz NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, history_id, correction_id)
);
CREATE TABLE wrtn_unpriced_models (
    model text NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (model)
);
CREATE INDEX wrtn_usage_corrections_use_time_idx ON wrtn_usage_corrections (tenant_id, use_time);
"""


def upgrade() -> None:
    """Creates the tables."""
    operation_tables(op)
    op.execute(_TABLES)
    schema.global_table(
        op, "wrtn_corrections", app="SELECT, INSERT, UPDATE", why="of prices, which are the same for all"
    )
    schema.global_table(op, "wrtn_unpriced_models", app="SELECT, INSERT", why="models alone, of no tenant")
    for table in ("wrtn_correction_differences", "wrtn_usage_corrections"):
        schema.tenant_table(op, table)
        schema.insert_only(op, table)
    schema.platform_reads(op, "wrtn_correction_differences")
    schema.tenant_list(op, "wrtn_cost_days", "tenant_id")
