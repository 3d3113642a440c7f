"""Duties of managers, and a version of each employee for the events."""

from alembic import op

revision = "0002"
down_revision = "0001"

_DUTIES = """
ALTER TABLE wrtn_employees
    ADD COLUMN duties smallint[] NOT NULL DEFAULT '{}',
    ADD COLUMN version integer NOT NULL DEFAULT 1,
    ADD CONSTRAINT wrtn_employees_duties_check CHECK (duties <@ '{1,2}' AND (duties = '{}' OR title = 2));
ALTER TABLE wrtn_appointments
    ADD COLUMN duties_before smallint[] NOT NULL DEFAULT '{}',
    ADD COLUMN duties_after smallint[] NOT NULL DEFAULT '{}',
    DROP CONSTRAINT wrtn_appointments_act_check,
    ADD CONSTRAINT wrtn_appointments_act_check CHECK (
        CASE WHEN team_id IS NULL
            THEN (title_before <> title_after OR duties_before <> duties_after)
                AND role_before = 0 AND role_after = 0
            ELSE role_before <> role_after AND title_before = 0 AND title_after = 0
                AND duties_before = '{}' AND duties_after = '{}'
        END
    );
"""


def upgrade() -> None:
    """Adds the columns; what was recorded before had no duties."""
    op.execute(_DUTIES)
