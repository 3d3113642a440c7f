"""The tables of analytics: rollups, the paths of teams in them, and which usages they count already."""

from alembic import op

from chassis.database import schema

revision = "0001"
down_revision = None

_TABLES = """
CREATE TABLE wrtn_counted_usages (
    tenant_id uuid NOT NULL,
    history_id uuid NOT NULL,
    source smallint NOT NULL,
    CONSTRAINT wrtn_counted_usages_pkey PRIMARY KEY (tenant_id, history_id, source)
);

CREATE TABLE wrtn_team_paths (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    team_ids uuid[] NOT NULL,
    CONSTRAINT wrtn_team_paths_pkey PRIMARY KEY (tenant_id, id)
);

CREATE TABLE wrtn_rollups (
    tenant_id uuid NOT NULL,
    part_id uuid NOT NULL,
    grain smallint NOT NULL,
    start_time timestamptz NOT NULL,
    model text NOT NULL,
    usage_count bigint NOT NULL,
    rated_count bigint NOT NULL,
    input_tokens bigint NOT NULL,
    cached_input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    reasoning_tokens bigint NOT NULL,
    accepted_prediction_tokens bigint NOT NULL,
    rejected_prediction_tokens bigint NOT NULL,
    cost numeric NOT NULL,
    CONSTRAINT wrtn_rollups_pkey PRIMARY KEY (tenant_id, part_id, grain, start_time, model)
) WITH (fillfactor = 80);
CREATE INDEX wrtn_rollups_start_time_idx ON wrtn_rollups (tenant_id, grain, start_time);

CREATE TABLE wrtn_account_rollups (
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    employee_id uuid NOT NULL,
    part_id uuid NOT NULL,
    grain smallint NOT NULL,
    start_time timestamptz NOT NULL,
    model text NOT NULL,
    usage_count bigint NOT NULL,
    rated_count bigint NOT NULL,
    input_tokens bigint NOT NULL,
    cached_input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    reasoning_tokens bigint NOT NULL,
    accepted_prediction_tokens bigint NOT NULL,
    rejected_prediction_tokens bigint NOT NULL,
    cost numeric NOT NULL,
    CONSTRAINT wrtn_account_rollups_pkey
        PRIMARY KEY (tenant_id, account_id, grain, start_time, employee_id, part_id, model)
) WITH (fillfactor = 80);
CREATE INDEX wrtn_account_rollups_start_time_idx
    ON wrtn_account_rollups (tenant_id, grain, start_time, part_id);
"""

_INSERT_ONLY = ("wrtn_counted_usages", "wrtn_team_paths")


def upgrade() -> None:
    """Creates the tables and puts their guards up."""
    schema.chassis_tables(op)
    op.execute(_TABLES)
    for table in (*_INSERT_ONLY, "wrtn_rollups", "wrtn_account_rollups"):
        schema.tenant_table(op, table)
    for table in _INSERT_ONLY:
        schema.insert_only(op, table)
