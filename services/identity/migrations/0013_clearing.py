"""What clearing looks for: members who never verified, tokens that expired, mails that are done with."""

from alembic import op

from chassis.database.schema import tenant_list

revision = "0013"
down_revision = "0012"

_INDEXES = """
CREATE INDEX wrtn_members_pending_idx ON wrtn_members (create_time) WHERE state = 'PENDING';
CREATE INDEX wrtn_email_verifications_expire_time_idx ON wrtn_email_verifications (expire_time);
CREATE INDEX wrtn_password_resets_expire_time_idx ON wrtn_password_resets (expire_time);
CREATE INDEX wrtn_mails_create_time_idx ON wrtn_mails (create_time);
"""


def upgrade() -> None:
    """Lets the worker list whose rows are due; the app role deletes them in their member's scope."""
    op.execute(_INDEXES)
    tenant_list(op, "wrtn_members", "id", "state", "create_time")
    tenant_list(op, "wrtn_email_verifications", "member_id", "expire_time")
    tenant_list(op, "wrtn_password_resets", "member_id", "expire_time")
