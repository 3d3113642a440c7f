"""How enterprises pay, as billing tells, and states that nobody decided."""

from alembic import op

from chassis.database import schema

revision = "0013"
down_revision = "0012"

_TABLES = """
CREATE TABLE wrtn_payment_standings (
    tenant_id uuid PRIMARY KEY REFERENCES wrtn_enterprises,
    overdue boolean NOT NULL,
    version bigint NOT NULL
);
ALTER TABLE wrtn_enterprise_states ALTER decider_member_id DROP NOT NULL;
"""


def upgrade() -> None:
    """Creates the table. The version before this one shows who decided as a text even where nobody did."""
    op.execute(_TABLES)
    schema.tenant_table(op, "wrtn_payment_standings")
