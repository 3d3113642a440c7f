"""An index for the sessions of a team, for those who run it."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds the index; of work on no team the tenant decides."""
    op.execute(
        "CREATE INDEX wrtn_chat_sessions_team_idx ON wrtn_chat_sessions (team_id, tenant_id, create_time, id)"
        " WHERE delete_time IS NULL"
    )
