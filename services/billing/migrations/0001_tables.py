"""The tables of billing: prices, usages, their sums by day, and the ledger."""

from alembic import op

from chassis.database import schema

revision = "0001"
down_revision = None

_TABLES = """
CREATE TABLE wrtn_prices (
    id uuid NOT NULL,
    sequence bigint GENERATED ALWAYS AS IDENTITY,
    model text NOT NULL,
    effective_time timestamptz NOT NULL,
    revision integer NOT NULL,
    currency text NOT NULL,
    input_per_million numeric NOT NULL,
    cached_input_per_million numeric NOT NULL,
    output_per_million numeric NOT NULL,
    tiers jsonb NOT NULL,
    windows jsonb NOT NULL,
    source text NOT NULL,
    create_time timestamptz NOT NULL,
    CONSTRAINT wrtn_prices_pkey PRIMARY KEY (id),
    CONSTRAINT wrtn_prices_model_key UNIQUE (model, effective_time, revision),
    CONSTRAINT wrtn_prices_sequence_key UNIQUE (sequence),
    CONSTRAINT wrtn_prices_amounts_check
        CHECK (least(input_per_million, cached_input_per_million, output_per_million) >= 0)
);

CREATE TABLE wrtn_usages (
    tenant_id uuid NOT NULL,
    history_id uuid NOT NULL,
    chat_session_id uuid NOT NULL,
    account_id uuid NOT NULL,
    member_id uuid NOT NULL,
    employee_id uuid,
    team_id uuid,
    ancestor_team_ids uuid[] NOT NULL,
    path_id uuid NOT NULL,
    title smallint NOT NULL,
    role smallint NOT NULL,
    model text NOT NULL,
    input_tokens bigint NOT NULL,
    cached_input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    reasoning_tokens bigint NOT NULL,
    accepted_prediction_tokens bigint NOT NULL,
    rejected_prediction_tokens bigint NOT NULL,
    price_id uuid,
    cost numeric NOT NULL,
    currency text NOT NULL,
    use_time timestamptz NOT NULL,
    create_time timestamptz NOT NULL,
    CONSTRAINT wrtn_usages_pkey PRIMARY KEY (tenant_id, history_id)
);
CREATE INDEX wrtn_usages_use_time_idx ON wrtn_usages (tenant_id, use_time);

CREATE TABLE wrtn_team_paths (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    team_ids uuid[] NOT NULL,
    CONSTRAINT wrtn_team_paths_pkey PRIMARY KEY (tenant_id, id)
);

CREATE TABLE wrtn_cost_days (
    tenant_id uuid NOT NULL,
    part_id uuid NOT NULL,
    day date NOT NULL,
    model text NOT NULL,
    cost numeric NOT NULL,
    usage_count bigint NOT NULL,
    unpriced_count bigint NOT NULL,
    input_tokens bigint NOT NULL,
    cached_input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    CONSTRAINT wrtn_cost_days_pkey PRIMARY KEY (tenant_id, part_id, day, model)
) WITH (fillfactor = 80);

CREATE TABLE wrtn_account_cost_days (
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    part_id uuid NOT NULL,
    day date NOT NULL,
    model text NOT NULL,
    cost numeric NOT NULL,
    usage_count bigint NOT NULL,
    unpriced_count bigint NOT NULL,
    input_tokens bigint NOT NULL,
    cached_input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    CONSTRAINT wrtn_account_cost_days_pkey PRIMARY KEY (tenant_id, account_id, part_id, day, model)
) WITH (fillfactor = 80);
CREATE INDEX wrtn_account_cost_days_day_idx ON wrtn_account_cost_days (tenant_id, day, part_id);

CREATE TABLE wrtn_ledgers (
    tenant_id uuid NOT NULL,
    currency text NOT NULL,
    last_sequence bigint NOT NULL,
    CONSTRAINT wrtn_ledgers_pkey PRIMARY KEY (tenant_id)
) WITH (fillfactor = 80);

CREATE TABLE wrtn_ledger_balances (
    tenant_id uuid NOT NULL,
    ledger_account text NOT NULL,
    balance numeric NOT NULL,
    CONSTRAINT wrtn_ledger_balances_pkey PRIMARY KEY (tenant_id, ledger_account)
) WITH (fillfactor = 80);

CREATE TABLE wrtn_ledger_entries (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    posting_id uuid NOT NULL,
    sequence bigint NOT NULL,
    ledger_account text NOT NULL,
    amount numeric NOT NULL,
    balance numeric NOT NULL,
    currency text NOT NULL,
    create_time timestamptz NOT NULL,
    CONSTRAINT wrtn_ledger_entries_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT wrtn_ledger_entries_sequence_key UNIQUE (tenant_id, sequence)
);
"""

# Entries of a posting come in one statement; a later statement could only add what sums to zero itself.
# A trigger a statement, since one a row would sum each posting once for every entry.
_ZERO_SUM = """
CREATE FUNCTION wrtn_refuse_unbalanced_posting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM added GROUP BY tenant_id, posting_id, currency HAVING sum(amount) <> 0) THEN
        RAISE EXCEPTION 'the entries of a posting must sum to zero' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER wrtn_ledger_entries_zero_sum AFTER INSERT ON wrtn_ledger_entries
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION wrtn_refuse_unbalanced_posting();
ALTER TABLE wrtn_ledger_entries ENABLE ALWAYS TRIGGER wrtn_ledger_entries_zero_sum;
"""

_INSERT_ONLY = ("wrtn_usages", "wrtn_team_paths", "wrtn_ledger_entries")
_CHANGING = ("wrtn_cost_days", "wrtn_account_cost_days", "wrtn_ledgers", "wrtn_ledger_balances")


def upgrade() -> None:
    """Creates the tables and puts their guards up."""
    schema.chassis_tables(op)
    op.execute(_TABLES)
    op.execute(_ZERO_SUM)
    schema.global_table(op, "wrtn_prices", app="SELECT, INSERT", why="list prices, the same for all")
    schema.insert_only(op, "wrtn_prices")
    for table in (*_INSERT_ONLY, *_CHANGING):
        schema.tenant_table(op, table)
    for table in _INSERT_ONLY:
        schema.insert_only(op, table)
