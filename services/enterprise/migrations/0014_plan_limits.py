"""What the plans of enterprises limit, as billing tells."""

from alembic import op

from chassis.database import schema

revision = "0014"
down_revision = "0013"

_TABLE = """
CREATE TABLE wrtn_plan_limits (
    tenant_id uuid PRIMARY KEY REFERENCES wrtn_enterprises,
    employees integer NOT NULL,
    teams integer NOT NULL,
    start_time timestamptz NOT NULL,
    version bigint NOT NULL
)
"""


def upgrade() -> None:
    """Creates the table. The version before this one lets in whom the plan has no room for."""
    op.execute(_TABLE)
    schema.tenant_table(op, "wrtn_plan_limits")
