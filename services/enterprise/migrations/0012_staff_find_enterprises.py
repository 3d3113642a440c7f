"""Staff find enterprises: all of them, the newest first."""

from alembic import op

from chassis.database.schema import platform_reads

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Opens the enterprises' rows to what staff list, in its order."""
    op.execute("CREATE INDEX ON wrtn_enterprises (create_time, tenant_id)")
    platform_reads(op, "wrtn_enterprises")
