"""Sessions of procedures stand beside those of chats."""

from alembic import op

revision = "0008"
down_revision = "0007"

_COLUMNS = """
ALTER TABLE wrtn_chat_sessions
    ADD COLUMN procedure_id uuid,
    ADD COLUMN procedure_version integer,
    ADD CONSTRAINT wrtn_chat_sessions_procedure_check CHECK (num_nulls(procedure_id, procedure_version) <> 1);
CREATE INDEX wrtn_chat_sessions_procedures_idx
    ON wrtn_chat_sessions (tenant_id, account_id, last_activity_time, id)
    WHERE delete_time IS NULL AND procedure_id IS NOT NULL;
"""


def upgrade() -> None:
    """Adds the procedure and its version; a session without is a chat."""
    op.execute(_COLUMNS)
