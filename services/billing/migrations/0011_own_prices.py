"""More kinds of prices, and prices of our own, which never overlap."""

from alembic import op

from chassis.database import schema

revision = "0011"
down_revision = "0010"

# The model enters the constraint by its hash, as a range of one number: no extension is needed to compare it.
_TABLE = """
ALTER TABLE wrtn_prices
    ADD COLUMN cache_write_per_million numeric,
    ADD COLUMN reasoning_per_million numeric,
    ADD COLUMN per_request numeric NOT NULL DEFAULT 0,
    ADD COLUMN per_image numeric NOT NULL DEFAULT 0,
    ADD COLUMN per_second numeric NOT NULL DEFAULT 0,
    ADD COLUMN own boolean NOT NULL DEFAULT false,
    ADD COLUMN end_time timestamptz,
    DROP CONSTRAINT wrtn_prices_amounts_check,
    ADD CONSTRAINT wrtn_prices_amounts_check CHECK (
        least(input_per_million, cached_input_per_million, output_per_million, cache_write_per_million,
              reasoning_per_million, per_request, per_image, per_second) >= 0),
    ADD CONSTRAINT wrtn_prices_end_check CHECK (end_time IS NULL OR own AND end_time >= effective_time),
    DROP CONSTRAINT wrtn_prices_model_key,
    ADD CONSTRAINT wrtn_prices_overlap_excl EXCLUDE USING gist (
        int8range(hashtextextended(model, 0), hashtextextended(model, 0), '[]') WITH &&,
        tstzrange(effective_time, end_time) WITH &&) WHERE (own);
CREATE UNIQUE INDEX wrtn_prices_model_key ON wrtn_prices (model, effective_time, revision) WHERE NOT own;
"""

_ENDING = """
CREATE FUNCTION wrtn_refuse_price_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT OLD.own OR NEW.end_time IS NULL OR NEW.end_time > OLD.end_time
        OR to_jsonb(NEW) - '{end_time,sequence}'::text[] <> to_jsonb(OLD) - '{end_time,sequence}'::text[] THEN
        RAISE EXCEPTION 'a price is never altered; one of our own may end earlier'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER wrtn_prices_insert_only ON wrtn_prices;
CREATE TRIGGER wrtn_prices_insert_only BEFORE DELETE OR TRUNCATE ON wrtn_prices
    FOR EACH STATEMENT EXECUTE FUNCTION wrtn_refuse_change();
CREATE TRIGGER wrtn_prices_ends_only BEFORE UPDATE ON wrtn_prices
    FOR EACH ROW EXECUTE FUNCTION wrtn_refuse_price_change();
ALTER TABLE wrtn_prices ENABLE ALWAYS TRIGGER wrtn_prices_insert_only;
ALTER TABLE wrtn_prices ENABLE ALWAYS TRIGGER wrtn_prices_ends_only;
"""

_USAGES = """
ALTER TABLE wrtn_usages
    ADD COLUMN cache_write_tokens bigint NOT NULL DEFAULT 0,
    ADD COLUMN requests bigint NOT NULL DEFAULT 1,
    ADD COLUMN images bigint NOT NULL DEFAULT 0,
    ADD COLUMN seconds bigint NOT NULL DEFAULT 0;
"""


def upgrade() -> None:
    """Adds the kinds, and lets prices of our own end."""
    op.execute(_TABLE)
    op.execute(_ENDING)
    op.execute(_USAGES)
    schema.app_updates(op, "wrtn_prices", "end_time", "sequence")
