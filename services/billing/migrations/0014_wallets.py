"""Wallets, what is held of them, their changes, and who held an account when."""

from alembic import op

from chassis.database import schema

revision = "0014"
down_revision = "0013"

_TABLES = """
CREATE TABLE wrtn_wallets (
    tenant_id uuid NOT NULL,
    currency text NOT NULL,
    balance numeric NOT NULL CONSTRAINT wrtn_wallets_balance_check CHECK (balance >= 0),
    prepaid boolean NOT NULL,
    top_up_threshold numeric,
    top_up_amount numeric,
    version bigint NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id),
    CONSTRAINT wrtn_wallets_top_up_check CHECK (top_up_threshold >= 0 AND top_up_amount > 0),
    CONSTRAINT wrtn_wallets_top_up_whole_check
        CHECK ((top_up_threshold IS NULL) = (top_up_amount IS NULL))
) WITH (fillfactor = 80);

CREATE TABLE wrtn_wallet_lots (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL CONSTRAINT wrtn_wallet_lots_kind_check CHECK (kind IN ('PURCHASE', 'BONUS', 'GRANT')),
    amount numeric NOT NULL,
    remaining numeric NOT NULL
        CONSTRAINT wrtn_wallet_lots_remaining_check CHECK (remaining BETWEEN 0 AND amount),
    refunded numeric NOT NULL
        CONSTRAINT wrtn_wallet_lots_refunded_check CHECK (refunded BETWEEN 0 AND amount - remaining),
    priority integer NOT NULL,
    expire_time timestamptz,
    posting_id uuid NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT wrtn_wallet_lots_posting_key UNIQUE (tenant_id, posting_id)
) WITH (fillfactor = 80);
CREATE INDEX wrtn_wallet_lots_burn_idx
    ON wrtn_wallet_lots (tenant_id, priority, expire_time, sequence) WHERE remaining > 0;

CREATE TABLE wrtn_wallet_holds (
    tenant_id uuid NOT NULL,
    reserved numeric NOT NULL CONSTRAINT wrtn_wallet_holds_reserved_check CHECK (reserved >= 0),
    PRIMARY KEY (tenant_id)
) WITH (fillfactor = 80);

CREATE TABLE wrtn_wallet_changes (
    tenant_id uuid NOT NULL,
    sequence bigint GENERATED ALWAYS AS IDENTITY,
    lot_id uuid,
    before jsonb,
    after jsonb,
    database_role text NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, sequence)
);

CREATE TABLE wrtn_account_tenures (
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    version bigint NOT NULL,
    member_id uuid NOT NULL,
    start_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, account_id, version)
);

ALTER TABLE wrtn_reservations ADD wallet_held boolean NOT NULL DEFAULT false;

-- A statement looks for the entries of the wallet alone, by time.
CREATE INDEX wrtn_ledger_entries_wallet_idx ON wrtn_ledger_entries (tenant_id, create_time, sequence)
    WHERE ledger_account = 'wallet';
"""

# It runs as the owner, since nobody else may write what it writes; the row's tenant is in scope already.
_AUDIT = """
CREATE FUNCTION wrtn_record_wallet_change() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    before jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
    after jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
    known jsonb := coalesce(after, before);
BEGIN
    INSERT INTO wrtn_wallet_changes (tenant_id, lot_id, before, after, database_role, create_time)
    VALUES ((known ->> 'tenant_id')::uuid, (known ->> 'id')::uuid, before, after, session_user,
            clock_timestamp());
    RETURN NULL;
END $$;
"""

# At the commit, when wallet, lots and ledger are what they are going to be.
_SUMS = """
CREATE FUNCTION wrtn_refuse_uneven_wallet() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    tenant uuid := coalesce(NEW.tenant_id, OLD.tenant_id);
    held numeric := coalesce((SELECT balance FROM wrtn_wallets WHERE tenant_id = tenant), 0);
BEGIN
    IF held <> coalesce((SELECT sum(remaining) FROM wrtn_wallet_lots
                         WHERE tenant_id = tenant AND remaining > 0), 0)
        OR held <> -coalesce((SELECT balance FROM wrtn_ledger_balances
                              WHERE tenant_id = tenant AND ledger_account = 'wallet'), 0) THEN
        RAISE EXCEPTION 'a wallet must be the sum of its lots and of its ledger entries'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
"""

# Whoever holds an account now has held it since before there was any wallet.
_TENURES = """
INSERT INTO wrtn_account_tenures (tenant_id, account_id, version, member_id, start_time)
SELECT tenant_id, account_id, version, holder_member_id, '1970-01-01 00:00:00+00' FROM wrtn_known_accounts
"""

_TRIGGERS = """
CREATE TRIGGER {table}_audit AFTER INSERT OR UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION wrtn_record_wallet_change();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_audit;
CREATE CONSTRAINT TRIGGER {table}_sums AFTER INSERT OR UPDATE OR DELETE ON {table}
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION wrtn_refuse_uneven_wallet();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_sums;
"""


def upgrade() -> None:
    """Creates the tables and their guards. The version before posts usages past the wallets."""
    op.execute(_TABLES)
    # The owner is under row level security, too: for this one statement they see the rows of all tenants.
    op.execute("ALTER TABLE wrtn_known_accounts NO FORCE ROW LEVEL SECURITY")
    op.execute(_TENURES)
    op.execute("ALTER TABLE wrtn_known_accounts FORCE ROW LEVEL SECURITY")
    for table in (
        "wrtn_wallets",
        "wrtn_wallet_lots",
        "wrtn_wallet_holds",
        "wrtn_wallet_changes",
        "wrtn_account_tenures",
    ):
        schema.tenant_table(op, table)
    for table in ("wrtn_wallet_changes", "wrtn_account_tenures"):
        schema.insert_only(op, table)
    schema.app_reads(op, "wrtn_wallet_changes")
    op.execute(_AUDIT)
    op.execute(_SUMS)
    for table in ("wrtn_wallets", "wrtn_wallet_lots"):
        op.execute(_TRIGGERS.format(table=table))
    schema.tenant_list(op, "wrtn_wallet_lots", "tenant_id", "remaining", "expire_time")
    schema.tenant_list(op, "wrtn_wallets", "tenant_id", "balance", "top_up_threshold")
