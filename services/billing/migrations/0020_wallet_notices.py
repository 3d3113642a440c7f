"""What was told of wallets."""

from alembic import op

from chassis.database import schema

revision = "0020"
down_revision = "0019"

_TABLE = """
CREATE TABLE wrtn_wallet_notices (
    tenant_id uuid NOT NULL,
    start_time timestamptz NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, start_time)
)
"""


def upgrade() -> None:
    """Creates the table."""
    op.execute(_TABLE)
    schema.tenant_table(op, "wrtn_wallet_notices")
    schema.insert_only(op, "wrtn_wallet_notices")
