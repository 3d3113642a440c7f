"""Personal accounts pay in advance: each has a wallet from the beginning, and it is prepaid."""

from alembic import op

revision = "0028"
down_revision = "0027"

# The owner is under row level security, too: for these statements they see the rows of all tenants. What a
# trigger would record or compare is no change of anybody's credits.
_BEFORE = """
ALTER TABLE wrtn_wallets DISABLE TRIGGER USER;
ALTER TABLE wrtn_known_accounts NO FORCE ROW LEVEL SECURITY;
ALTER TABLE wrtn_wallets NO FORCE ROW LEVEL SECURITY;
ALTER TABLE wrtn_wallet_holds NO FORCE ROW LEVEL SECURITY;
"""
_PREPAID = """
INSERT INTO wrtn_wallets (tenant_id, currency, balance, prepaid, version, create_time, update_time)
SELECT tenant_id, 'USD', 0, true, 1, now(), now() FROM wrtn_known_accounts WHERE tenant_id = account_id
ON CONFLICT (tenant_id) DO UPDATE SET prepaid = true;
INSERT INTO wrtn_wallet_holds (tenant_id, reserved)
SELECT tenant_id, 0 FROM wrtn_known_accounts WHERE tenant_id = account_id
ON CONFLICT DO NOTHING;
"""
_AFTER = """
ALTER TABLE wrtn_wallet_holds FORCE ROW LEVEL SECURITY;
ALTER TABLE wrtn_wallets FORCE ROW LEVEL SECURITY;
ALTER TABLE wrtn_known_accounts FORCE ROW LEVEL SECURITY;
ALTER TABLE wrtn_wallets ENABLE ALWAYS TRIGGER wrtn_wallets_audit;
ALTER TABLE wrtn_wallets ENABLE ALWAYS TRIGGER wrtn_wallets_sums;
"""


def upgrade() -> None:
    """Makes the wallets that are missing, and has the others be prepaid."""
    op.execute(_BEFORE)
    op.execute(_PREPAID)
    op.execute(_AFTER)
