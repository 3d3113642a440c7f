"""How long plans let sessions be kept, as billing tells."""

from alembic import op

from chassis.database import schema

revision = "0012"
down_revision = "0011"

_TABLE = """
CREATE TABLE wrtn_plan_retentions (
    tenant_id uuid PRIMARY KEY,
    days integer NOT NULL,
    start_time timestamptz NOT NULL,
    version bigint NOT NULL
)
"""


def upgrade() -> None:
    """Creates the table. The version before this one keeps what only the plan limits."""
    op.execute(_TABLE)
    schema.tenant_table(op, "wrtn_plan_retentions")
    schema.tenant_list(op, "wrtn_plan_retentions", "tenant_id", "days")
