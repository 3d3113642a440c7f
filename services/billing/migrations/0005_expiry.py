"""The worker role finds the tenants whose reservations expire."""

from alembic import op

from chassis.database import schema

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Grants it the columns that it looks at, and no others."""
    schema.tenant_list(op, "wrtn_reservations", "tenant_id", "state", "expire_time")
