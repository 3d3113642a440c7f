"""What was told of books that disagree; and the worker role sees which enterprises have a currency."""

from alembic import op

from chassis.database import schema

revision = "0030"
down_revision = "0029"

_TABLE = """
CREATE TABLE wrtn_book_differences (
    tenant_id uuid NOT NULL,
    differences jsonb NOT NULL,
    tell_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id)
)
"""


def upgrade() -> None:
    """Creates the table, and lets the worker role see."""
    op.execute(_TABLE)
    schema.tenant_table(op, "wrtn_book_differences")
    schema.tenant_list(op, "wrtn_known_currencies", "tenant_id")
