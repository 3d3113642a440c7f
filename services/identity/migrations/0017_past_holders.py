"""Who held an account once may read since when, and by which transfer it went: for their export."""

from alembic import op

revision = "0017"
down_revision = "0016"

_READS = """
CREATE POLICY holder ON {table} FOR SELECT
    USING (holder_member_id = (SELECT nullif(current_setting('wrtn.member', true), '')::uuid))
"""


def upgrade() -> None:
    """Creates the indexes and the policies."""
    for table in ("wrtn_account_holdings", "wrtn_account_transfers"):
        op.execute(f"CREATE INDEX {table}_holder_idx ON {table} (holder_member_id)")
        op.execute(_READS.format(table=table))
