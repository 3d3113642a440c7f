"""Costs by day of those who held an account when it was used."""

from alembic import op

from chassis.database import schema

revision = "0004"
down_revision = "0003"

_TABLE = """
CREATE TABLE wrtn_holder_cost_days (
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    member_id uuid NOT NULL,
    part_id uuid NOT NULL,
    day date NOT NULL,
    model text NOT NULL,
    cost numeric NOT NULL,
    usage_count bigint NOT NULL,
    unpriced_count bigint NOT NULL,
    input_tokens bigint NOT NULL,
    cached_input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    CONSTRAINT wrtn_holder_cost_days_pkey PRIMARY KEY (tenant_id, account_id, member_id, part_id, day, model)
) WITH (fillfactor = 80);
CREATE INDEX wrtn_holder_cost_days_day_idx ON wrtn_holder_cost_days (tenant_id, day, part_id);
"""

_SUMMED = """
    INSERT INTO wrtn_holder_cost_days AS kept (tenant_id, account_id, member_id, part_id, day, model, cost,
        usage_count, unpriced_count, input_tokens, cached_input_tokens, output_tokens)
    SELECT tenant_id, account_id, member_id, path_id, (use_time AT TIME ZONE 'UTC')::date, model, sum(cost),
        count(*), count(*) FILTER (WHERE price_id IS NULL), sum(input_tokens), sum(cached_input_tokens),
        sum(output_tokens)
    FROM {rows} GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6"""

# No usage comes between the rows that are summed up here and the first that the trigger adds.
_BACKFILL = f"LOCK TABLE wrtn_usages IN SHARE ROW EXCLUSIVE MODE; {_SUMMED.format(rows='wrtn_usages')}"

_TRIGGER = f"""
CREATE FUNCTION wrtn_add_holder_costs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {_SUMMED.format(rows="added")}
    ON CONFLICT (tenant_id, account_id, member_id, part_id, day, model) DO UPDATE
    SET cost = kept.cost + excluded.cost, usage_count = kept.usage_count + excluded.usage_count,
        unpriced_count = kept.unpriced_count + excluded.unpriced_count,
        input_tokens = kept.input_tokens + excluded.input_tokens,
        cached_input_tokens = kept.cached_input_tokens + excluded.cached_input_tokens,
        output_tokens = kept.output_tokens + excluded.output_tokens;
    RETURN NULL;
END $$;
CREATE TRIGGER wrtn_usages_holder_costs AFTER INSERT ON wrtn_usages
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION wrtn_add_holder_costs();
ALTER TABLE wrtn_usages ENABLE ALWAYS TRIGGER wrtn_usages_holder_costs;
"""  # noqa: S608


def upgrade() -> None:
    """Creates the table, sums up what was used so far, and has each usage added from here on."""
    op.execute(_TABLE)
    # The owner is under row level security, too: for this one statement they see the rows of all tenants.
    op.execute("ALTER TABLE wrtn_usages NO FORCE ROW LEVEL SECURITY")
    op.execute(_BACKFILL)
    op.execute("ALTER TABLE wrtn_usages FORCE ROW LEVEL SECURITY")
    op.execute(_TRIGGER)
    schema.tenant_table(op, "wrtn_holder_cost_days")
