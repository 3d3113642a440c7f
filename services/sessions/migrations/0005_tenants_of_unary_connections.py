"""The tenants of connections that no stream carries, so that the idle ones can be found and ended."""

from alembic import op

revision = "0005"
down_revision = "0004"

# The rows of all tenants are read once, for the connections that are open already.
_NOTE = """
ALTER TABLE wrtn_connections NO FORCE ROW LEVEL SECURITY;
INSERT INTO wrtn_process_tenants (process_id, tenant_id)
    SELECT DISTINCT '00000000-0000-0000-0000-000000000000'::uuid, tenant_id
    FROM wrtn_connections
    WHERE process_id IS NULL AND disconnect_time IS NULL
    ON CONFLICT DO NOTHING;
ALTER TABLE wrtn_connections FORCE ROW LEVEL SECURITY;
"""


def upgrade() -> None:
    """Notes them under the id that stands for no process."""
    op.execute(_NOTE)
