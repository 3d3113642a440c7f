"""What a tenant is charged, beside what it cost; and the currencies of enterprises."""

from alembic import op

from chassis.database import schema

revision = "0008"
down_revision = "0007"

_COUNTS = "usage_count, unpriced_count, input_tokens, cached_input_tokens, output_tokens"

# Until here a usage was charged what it cost. The version before names no charge, so it rates nothing more:
# what it fails at is delivered again to this one.
_USAGES = """
ALTER TABLE wrtn_usages ADD COLUMN charge numeric, ADD COLUMN charge_currency text;
ALTER TABLE wrtn_usages DISABLE TRIGGER wrtn_usages_insert_only;
UPDATE wrtn_usages SET charge = cost, charge_currency = currency;
ALTER TABLE wrtn_usages ENABLE ALWAYS TRIGGER wrtn_usages_insert_only;
ALTER TABLE wrtn_usages ALTER COLUMN charge SET NOT NULL, ALTER COLUMN charge_currency SET NOT NULL;
"""

_SUMS = """
ALTER TABLE {table} ADD COLUMN charge numeric;
UPDATE {table} SET charge = cost;
ALTER TABLE {table} ALTER COLUMN charge SET NOT NULL;
"""

_TRIGGER = f"""
CREATE OR REPLACE FUNCTION wrtn_add_holder_costs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO wrtn_holder_cost_days AS kept
        (tenant_id, account_id, member_id, part_id, day, model, cost, charge, {_COUNTS})
    SELECT tenant_id, account_id, member_id, path_id, (use_time AT TIME ZONE 'UTC')::date, model, sum(cost),
        sum(charge), count(*), count(*) FILTER (WHERE price_id IS NULL), sum(input_tokens),
        sum(cached_input_tokens), sum(output_tokens)
    FROM added GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (tenant_id, account_id, member_id, part_id, day, model) DO UPDATE
    SET cost = kept.cost + excluded.cost, charge = kept.charge + excluded.charge,
        usage_count = kept.usage_count + excluded.usage_count,
        unpriced_count = kept.unpriced_count + excluded.unpriced_count,
        input_tokens = kept.input_tokens + excluded.input_tokens,
        cached_input_tokens = kept.cached_input_tokens + excluded.cached_input_tokens,
        output_tokens = kept.output_tokens + excluded.output_tokens;
    RETURN NULL;
END $$;
"""  # noqa: S608

# A table of its own: the currency comes with one event alone, which may come after later ones.
_CURRENCIES = """
CREATE TABLE wrtn_known_currencies (
    tenant_id uuid NOT NULL,
    currency text NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (tenant_id)
);
"""


def upgrade() -> None:
    """Adds charges, keeps currencies, and drops the sums that nobody has written since 0004."""
    for table in ("wrtn_usages", "wrtn_cost_days", "wrtn_holder_cost_days"):
        # The owner is under row level security, too: for this one statement they see the rows of all tenants.
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(_USAGES if table == "wrtn_usages" else _SUMS.format(table=table))
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(_TRIGGER)
    op.execute("DROP TABLE wrtn_account_cost_days")
    op.execute(_CURRENCIES)
    schema.tenant_table(op, "wrtn_known_currencies")
