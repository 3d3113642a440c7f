"""The worker role sees which tenants have disputes that are not decided."""

from alembic import op

from chassis.database import schema

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Lets it."""
    schema.tenant_list(op, "wrtn_disputes", "tenant_id", "state")
