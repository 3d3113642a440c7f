"""The audit trail."""

from alembic import op

from chassis.audit.schema import audit_tables

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Creates the tables of audit entries and their seals."""
    audit_tables(op)
