"""Letters about budgets, and the duties of those who get them."""

from alembic import op

from chassis.database import schema

revision = "0006"
down_revision = "0005"

_TABLES = """
CREATE TABLE wrtn_known_duties (
    tenant_id uuid NOT NULL,
    employee_id uuid NOT NULL,
    duties smallint[] NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (tenant_id, employee_id)
);

CREATE TABLE wrtn_letters (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    member_id uuid NOT NULL,
    template text NOT NULL,
    fills jsonb NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
"""


def upgrade() -> None:
    """Creates the tables; the worker role sees whose letters wait."""
    op.execute(_TABLES)
    for table in ("wrtn_known_duties", "wrtn_letters"):
        schema.tenant_table(op, table)
    schema.tenant_list(op, "wrtn_letters", "tenant_id")
