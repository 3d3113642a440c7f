"""How, from where and with which device a login was opened, and how an honest retry of a refresh is known."""

from alembic import op

revision = "0002"
down_revision = "0001"

_TABLES = """
ALTER TABLE wrtn_logins
    ADD methods text[] NOT NULL DEFAULT '{PASSWORD}',
    ADD connection_id uuid,
    ADD connection_tenant_id uuid,
    ADD device bytea,
    ADD address bytea,
    ADD last_use_time timestamptz NOT NULL DEFAULT clock_timestamp();
ALTER TABLE wrtn_refresh_tokens ADD retry_hash bytea;
CREATE INDEX wrtn_refresh_tokens_login_idx ON wrtn_refresh_tokens (member_id, login_id);
"""


def upgrade() -> None:
    """Adds the columns; the defaults serve the version before, which still writes."""
    op.execute(_TABLES)
