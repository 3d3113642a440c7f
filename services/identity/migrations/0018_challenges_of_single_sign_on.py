"""A sign-in by an enterprise's provider waits for the second factor too, and goes on by its connection."""

from alembic import op

revision = "0018"
down_revision = "0017"

_COLUMNS = """
ALTER TABLE wrtn_sign_in_challenges
    ADD COLUMN account_id uuid,
    ADD COLUMN connection_id uuid,
    ADD COLUMN connection_tenant_id uuid
"""


def upgrade() -> None:
    """Adds the columns; challenges that wait now are of other ways to sign in."""
    op.execute(_COLUMNS)
