"""What refunds take back of the credits that a payment bought; refunds that the provider began."""

from alembic import op

revision = "0023"
down_revision = "0022"

_COLUMNS = """
ALTER TABLE wrtn_refunds
    ADD COLUMN credits numeric NOT NULL DEFAULT 0,
    ADD COLUMN debt numeric NOT NULL DEFAULT 0,
    ADD CONSTRAINT wrtn_refunds_credits_check CHECK (least(credits, debt) >= 0 AND credits + debt <= amount);
CREATE UNIQUE INDEX wrtn_refunds_provider_refund_key ON wrtn_refunds (tenant_id, provider_refund_id);
"""


def upgrade() -> None:
    """Adds the columns. Refunds of before took no credits."""
    op.execute(_COLUMNS)
