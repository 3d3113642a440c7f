"""Lets the purge find the members of whom something has expired."""

from alembic import op

from chassis.database.schema import tenant_list

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Grants whose rows expire when, and nothing else of them; and indexes to find them by."""
    tenant_list(op, "wrtn_logins", "member_id", "expire_time", "end_time")
    for table in ("refresh_tokens", "known_devices", "sign_in_challenges"):
        tenant_list(op, f"wrtn_{table}", "member_id", "expire_time")
        op.execute(f"CREATE INDEX wrtn_{table}_expire_idx ON wrtn_{table} (expire_time)")
    op.execute("CREATE INDEX wrtn_logins_expire_idx ON wrtn_logins (least(expire_time, end_time))")
