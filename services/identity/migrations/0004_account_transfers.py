"""Who held an account when, transfers, and accounts that are inherited."""

from alembic import op

from chassis.database.schema import insert_only, tenant_table

revision = "0004"
down_revision = "0003"

# The rows of all tenants are read once, for the holders so far; nobody else reads while it is unforced.
_TABLES = """
ALTER TABLE wrtn_accounts ADD COLUMN inherited boolean NOT NULL DEFAULT false;
DROP INDEX wrtn_accounts_personal_key;
CREATE UNIQUE INDEX wrtn_accounts_personal_key ON wrtn_accounts (holder_member_id)
    WHERE kind = 'PERSONAL' AND NOT inherited;
CREATE INDEX wrtn_accounts_opened_idx ON wrtn_accounts (tenant_id, create_time, id);

CREATE TABLE wrtn_account_transfers (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    state text NOT NULL CONSTRAINT wrtn_account_transfers_state_check
        CHECK (state IN ('PENDING', 'ACCEPTED', 'DECLINED', 'CANCELLED', 'EXPIRED', 'DECIDED')),
    holder_member_id uuid NOT NULL,
    receiver_member_id uuid NOT NULL,
    decider_member_id uuid,
    version integer NOT NULL,
    create_time timestamptz NOT NULL,
    expire_time timestamptz,
    end_time timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, account_id) REFERENCES wrtn_accounts,
    CONSTRAINT wrtn_account_transfers_receiver_check CHECK (holder_member_id <> receiver_member_id),
    CONSTRAINT wrtn_account_transfers_end_check CHECK ((state = 'PENDING') = (end_time IS NULL))
);
CREATE UNIQUE INDEX wrtn_account_transfers_pending_key ON wrtn_account_transfers (tenant_id, account_id)
    WHERE state = 'PENDING';
CREATE INDEX wrtn_account_transfers_account_idx
    ON wrtn_account_transfers (tenant_id, account_id, create_time, id);
CREATE INDEX wrtn_account_transfers_receiver_idx
    ON wrtn_account_transfers (receiver_member_id, create_time, id);

CREATE TABLE wrtn_account_holdings (
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    sequence integer NOT NULL,
    holder_member_id uuid NOT NULL,
    cause text NOT NULL CONSTRAINT wrtn_account_holdings_cause_check
        CHECK (cause IN ('OPENED', 'ACCEPTED', 'DECIDED')),
    transfer_id uuid,
    start_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, account_id, sequence),
    FOREIGN KEY (tenant_id, account_id) REFERENCES wrtn_accounts,
    FOREIGN KEY (tenant_id, transfer_id) REFERENCES wrtn_account_transfers,
    CONSTRAINT wrtn_account_holdings_transfer_check CHECK ((cause = 'OPENED') = (transfer_id IS NULL))
);
ALTER TABLE wrtn_accounts NO FORCE ROW LEVEL SECURITY;
INSERT INTO wrtn_account_holdings
    SELECT tenant_id, id, 1, holder_member_id, 'OPENED', NULL, create_time FROM wrtn_accounts;
ALTER TABLE wrtn_accounts FORCE ROW LEVEL SECURITY;
"""


def upgrade() -> None:
    """Creates the tables, each with its guard."""
    op.execute(_TABLES)
    tenant_table(op, "wrtn_account_transfers", member_column="receiver_member_id")
    tenant_table(op, "wrtn_account_holdings")
    insert_only(op, "wrtn_account_holdings")
