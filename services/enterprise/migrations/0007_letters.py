"""Letters that identity is to send."""

from alembic import op

from chassis.database import schema

revision = "0007"
down_revision = "0006"

_TABLE = """
CREATE TABLE wrtn_letters (
    tenant_id uuid NOT NULL REFERENCES wrtn_enterprises,
    id uuid NOT NULL,
    member_id uuid NOT NULL,
    template text NOT NULL,
    fills jsonb NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
"""


def upgrade() -> None:
    """Creates the table; the worker role sees whose letters wait."""
    op.execute(_TABLE)
    schema.tenant_table(op, "wrtn_letters")
    schema.tenant_list(op, "wrtn_letters", "tenant_id")
