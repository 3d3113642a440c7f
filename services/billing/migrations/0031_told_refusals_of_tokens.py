"""When it was told that a plan admits no more tokens in a month."""

from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """Adds the column."""
    op.execute("ALTER TABLE wrtn_token_counts ADD refuse_time timestamptz")
