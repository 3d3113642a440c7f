"""Enterprises, their employees and teams, and the records of appointments."""

from alembic import op

from chassis.database import schema

revision = "0001"
down_revision = None

_TABLES = """
CREATE TABLE wrtn_slugs (
    slug text PRIMARY KEY,
    tenant_id uuid NOT NULL,
    UNIQUE (tenant_id, slug)
);

CREATE TABLE wrtn_enterprises (
    tenant_id uuid PRIMARY KEY,
    display_name text NOT NULL,
    slug text NOT NULL,
    time_zone text NOT NULL,
    last_appointment bigint NOT NULL,
    create_time timestamptz NOT NULL,
    FOREIGN KEY (tenant_id, slug) REFERENCES wrtn_slugs (tenant_id, slug)
);

CREATE TABLE wrtn_employees (
    tenant_id uuid NOT NULL REFERENCES wrtn_enterprises,
    id uuid NOT NULL,
    member_id uuid NOT NULL,
    account_id uuid NOT NULL,
    title smallint NOT NULL,
    sequence bigint NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (member_id, tenant_id),
    UNIQUE (account_id, tenant_id),
    UNIQUE (tenant_id, sequence),
    CONSTRAINT wrtn_employees_title_check CHECK (title BETWEEN 1 AND 3)
);

CREATE TABLE wrtn_teams (
    tenant_id uuid NOT NULL REFERENCES wrtn_enterprises,
    id uuid NOT NULL,
    parent_team_id uuid,
    display_name text NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, parent_team_id) REFERENCES wrtn_teams (tenant_id, id),
    CONSTRAINT wrtn_teams_parent_check CHECK (parent_team_id <> id)
);
CREATE INDEX ON wrtn_teams (parent_team_id, tenant_id);

CREATE TABLE wrtn_companions (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    team_id uuid NOT NULL,
    employee_id uuid NOT NULL,
    role smallint NOT NULL,
    version integer NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, team_id, employee_id),
    FOREIGN KEY (tenant_id, team_id) REFERENCES wrtn_teams (tenant_id, id),
    FOREIGN KEY (tenant_id, employee_id) REFERENCES wrtn_employees (tenant_id, id),
    CONSTRAINT wrtn_companions_role_check CHECK (role BETWEEN 1 AND 3)
);
CREATE INDEX ON wrtn_companions (employee_id, tenant_id);
CREATE INDEX ON wrtn_companions (tenant_id, team_id, id);

CREATE TABLE wrtn_appointments (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL,
    employee_id uuid NOT NULL,
    team_id uuid,
    title_before smallint NOT NULL,
    title_after smallint NOT NULL,
    role_before smallint NOT NULL,
    role_after smallint NOT NULL,
    decider_employee_id uuid NOT NULL,
    reason bytea,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, sequence),
    FOREIGN KEY (tenant_id, employee_id) REFERENCES wrtn_employees (tenant_id, id),
    FOREIGN KEY (tenant_id, decider_employee_id) REFERENCES wrtn_employees (tenant_id, id),
    FOREIGN KEY (tenant_id, team_id) REFERENCES wrtn_teams (tenant_id, id),
    CONSTRAINT wrtn_appointments_sequence_check CHECK (sequence > 0),
    CONSTRAINT wrtn_appointments_act_check CHECK (
        CASE WHEN team_id IS NULL
            THEN title_before <> title_after AND role_before = 0 AND role_after = 0
            ELSE role_before <> role_after AND title_before = 0 AND title_after = 0
        END
    )
);
CREATE INDEX ON wrtn_appointments (tenant_id, employee_id, sequence);
"""


def upgrade() -> None:
    """Creates the tables and puts every one under row level security."""
    schema.chassis_tables(op)
    op.execute(_TABLES)
    schema.tenant_table(op, "wrtn_slugs")
    schema.tenant_table(op, "wrtn_enterprises")
    schema.tenant_list(op, "wrtn_enterprises", "tenant_id")
    schema.tenant_table(op, "wrtn_employees", member_column="member_id")
    schema.tenant_table(op, "wrtn_teams")
    schema.tenant_table(op, "wrtn_companions")
    schema.tenant_table(op, "wrtn_appointments")
    schema.insert_only(op, "wrtn_appointments")
