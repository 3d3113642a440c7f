"""Enterprises that are suspended or closed: their keys and credentials are refused."""

from alembic import op

from chassis.database.schema import global_table

revision = "0016"
down_revision = "0015"

_TABLES = """
CREATE TABLE wrtn_enterprise_holds (
    tenant_id uuid PRIMARY KEY,
    held boolean NOT NULL,
    version integer NOT NULL
);
"""


def upgrade() -> None:
    """Creates the table."""
    op.execute(_TABLES)
    global_table(
        op,
        "wrtn_enterprise_holds",
        why="ids and a yes or no, looked at before the tenant of a key is known",
        app="SELECT, INSERT, UPDATE",
    )
