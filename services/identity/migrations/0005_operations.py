"""Long work."""

from alembic import op

from chassis.operations.schema import operation_tables

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Creates the table of operations."""
    operation_tables(op)
