"""What is agreed on prices, the rates of currencies, and what of both set a charge."""

from alembic import op

from chassis.database import schema

revision = "0016"
down_revision = "0015"

_RULES = """
CREATE TABLE wrtn_price_rules (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    plan_id uuid,
    kind text NOT NULL,
    model text NOT NULL,
    percent numeric,
    rates jsonb,
    effective_time timestamptz NOT NULL,
    end_time timestamptz,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT wrtn_price_rules_percent_check CHECK (percent >= 0 AND (kind <> 'DISCOUNT' OR percent <= 100)),
    CONSTRAINT wrtn_price_rules_rates_check CHECK ((kind = 'OVERRIDE') = (rates IS NOT NULL)),
    CONSTRAINT wrtn_price_rules_terms_check CHECK ((kind = 'OVERRIDE') = (percent IS NULL)),
    CONSTRAINT wrtn_price_rules_plan_check CHECK (
        (plan_id IS NOT NULL) = (tenant_id = '00000000-0000-0000-0000-000000000000')),
    CONSTRAINT wrtn_price_rules_end_check CHECK (end_time >= effective_time),
    CONSTRAINT wrtn_price_rules_overlap_excl EXCLUDE USING gist (
        int8range(hashtextextended(coalesce(plan_id, tenant_id)::text || kind || model, 0),
                  hashtextextended(coalesce(plan_id, tenant_id)::text || kind || model, 0), '[]') WITH &&,
        tstzrange(effective_time, end_time) WITH &&)
);

CREATE INDEX wrtn_price_rules_plan_idx ON wrtn_price_rules (plan_id) WHERE plan_id IS NOT NULL;

CREATE FUNCTION wrtn_refuse_rule_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.end_time IS NULL OR NEW.end_time > OLD.end_time
        OR to_jsonb(NEW) - 'end_time' <> to_jsonb(OLD) - 'end_time' THEN
        RAISE EXCEPTION 'a rule is never altered; it may end earlier' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER wrtn_price_rules_insert_only BEFORE DELETE OR TRUNCATE ON wrtn_price_rules
    FOR EACH STATEMENT EXECUTE FUNCTION wrtn_refuse_change();
CREATE TRIGGER wrtn_price_rules_ends_only BEFORE UPDATE ON wrtn_price_rules
    FOR EACH ROW EXECUTE FUNCTION wrtn_refuse_rule_change();
ALTER TABLE wrtn_price_rules ENABLE ALWAYS TRIGGER wrtn_price_rules_insert_only;
ALTER TABLE wrtn_price_rules ENABLE ALWAYS TRIGGER wrtn_price_rules_ends_only;
"""

_RATES = """
CREATE TABLE wrtn_exchange_rates (
    id uuid NOT NULL,
    sequence bigint GENERATED ALWAYS AS IDENTITY,
    currency text NOT NULL,
    effective_time timestamptz NOT NULL,
    rate numeric NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT wrtn_exchange_rates_currency_key UNIQUE (currency, effective_time),
    CONSTRAINT wrtn_exchange_rates_sequence_key UNIQUE (sequence),
    CONSTRAINT wrtn_exchange_rates_rate_check CHECK (rate > 0)
);
"""

_USAGES = """
ALTER TABLE wrtn_usages
    ADD COLUMN price_rule_ids uuid[] NOT NULL DEFAULT '{}',
    ADD COLUMN exchange_rate_id uuid;
"""


def upgrade() -> None:
    """Creates the tables, and adds what set a charge to usages."""
    op.execute(_RULES)
    schema.tenant_table(op, "wrtn_price_rules")
    # What plans offer is the same for everybody who subscribes to them, and kept by the platform.
    op.execute("CREATE POLICY plans ON wrtn_price_rules FOR SELECT USING (plan_id IS NOT NULL)")
    op.execute(_RATES)
    schema.global_table(op, "wrtn_exchange_rates", app="SELECT, INSERT", why="the same for all tenants")
    schema.insert_only(op, "wrtn_exchange_rates")
    op.execute(_USAGES)
