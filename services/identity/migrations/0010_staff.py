"""Staff beside members, why they were appointed, and break-glass."""

from alembic import op

from chassis.database.schema import insert_only, platform_reads, tenant_table

revision = "0010"
down_revision = "0009"

# The rows of all members are read once, for who is staff already.
_TABLES = """
CREATE TABLE wrtn_staff (
    tenant_id uuid NOT NULL,
    member_id uuid NOT NULL REFERENCES wrtn_members,
    staff_right integer NOT NULL CONSTRAINT wrtn_staff_right_check CHECK (staff_right IN (1, 2)),
    appoint_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, member_id)
);
ALTER TABLE wrtn_members NO FORCE ROW LEVEL SECURITY;
INSERT INTO wrtn_staff
    SELECT '00000000-0000-0000-0000-000000000000', id, staff_right, coalesce(activate_time, create_time)
    FROM wrtn_members
    WHERE staff_right > 0;
ALTER TABLE wrtn_members FORCE ROW LEVEL SECURITY;

ALTER TABLE wrtn_staff_appointments
    ADD COLUMN tenant_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    ADD COLUMN reason bytea;
CREATE INDEX wrtn_staff_appointments_newest_idx
    ON wrtn_staff_appointments (tenant_id, create_time, member_id, version);
DROP POLICY member ON wrtn_staff_appointments;
DROP TRIGGER wrtn_staff_appointments_insert_only ON wrtn_staff_appointments;

CREATE TABLE wrtn_break_glasses (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    member_id uuid NOT NULL REFERENCES wrtn_members,
    reason bytea NOT NULL,
    create_time timestamptz NOT NULL,
    expire_time timestamptz NOT NULL,
    close_time timestamptz,
    closer_member_id uuid,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT wrtn_break_glasses_close_check CHECK ((close_time IS NULL) = (closer_member_id IS NULL))
);
CREATE INDEX wrtn_break_glasses_newest_idx ON wrtn_break_glasses (tenant_id, create_time, id);
"""


def upgrade() -> None:
    """Creates the tables, each with its guard."""
    op.execute(_TABLES)
    tenant_table(op, "wrtn_staff", member_column="member_id")
    tenant_table(op, "wrtn_staff_appointments", member_column="member_id")
    insert_only(op, "wrtn_staff_appointments")
    tenant_table(op, "wrtn_break_glasses")
    platform_reads(op, "wrtn_break_glasses")
    platform_reads(op, "wrtn_members")
    platform_reads(op, "wrtn_accounts")
