"""What people and teams were at any moment, deputies, the order of teams, and the states of an enterprise."""

from alembic import op

from chassis.database import schema

revision = "0006"
down_revision = "0005"

_ENTERPRISES = """
ALTER TABLE wrtn_enterprises
    ADD COLUMN locale text NOT NULL DEFAULT 'en',
    ADD COLUMN currency text NOT NULL DEFAULT 'USD',
    ADD COLUMN settings bytea NOT NULL DEFAULT '',
    ADD COLUMN logo_etag text NOT NULL DEFAULT '',
    ADD COLUMN state smallint NOT NULL DEFAULT 1,
    ADD COLUMN close_time timestamptz,
    ADD COLUMN version integer NOT NULL DEFAULT 1,
    ADD COLUMN last_team_change bigint NOT NULL DEFAULT 0,
    ADD COLUMN last_change_time timestamptz NOT NULL DEFAULT '1970-01-01T00:00:00Z',
    ADD CONSTRAINT wrtn_enterprises_state_check CHECK (state BETWEEN 1 AND 3),
    ADD CONSTRAINT wrtn_enterprises_close_time_check CHECK ((state = 3) = (close_time IS NOT NULL));

CREATE TABLE wrtn_logos (
    tenant_id uuid PRIMARY KEY REFERENCES wrtn_enterprises,
    content_type text NOT NULL,
    image bytea NOT NULL
);

CREATE TABLE wrtn_enterprise_states (
    tenant_id uuid NOT NULL REFERENCES wrtn_enterprises,
    id uuid NOT NULL,
    state_before smallint NOT NULL,
    state_after smallint NOT NULL,
    cause smallint NOT NULL,
    decider_member_id uuid NOT NULL,
    note bytea,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT wrtn_enterprise_states_state_check CHECK (state_before <> state_after)
);
"""

_PEOPLE = """
ALTER TABLE wrtn_employees
    ADD COLUMN dismiss_time timestamptz,
    DROP CONSTRAINT wrtn_employees_title_check,
    ADD CONSTRAINT wrtn_employees_title_check CHECK (title BETWEEN 0 AND 3),
    ADD CONSTRAINT wrtn_employees_dismiss_time_check CHECK ((title = 0) = (dismiss_time IS NOT NULL));

ALTER TABLE wrtn_companions
    DROP CONSTRAINT wrtn_companions_role_check,
    ADD CONSTRAINT wrtn_companions_role_check CHECK (role BETWEEN 0 AND 3);

CREATE TABLE wrtn_deputies (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    employee_id uuid NOT NULL,
    absent_employee_id uuid NOT NULL,
    team_id uuid,
    title smallint NOT NULL,
    role smallint NOT NULL,
    version integer NOT NULL,
    create_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, employee_id) REFERENCES wrtn_employees (tenant_id, id),
    FOREIGN KEY (tenant_id, absent_employee_id) REFERENCES wrtn_employees (tenant_id, id),
    FOREIGN KEY (tenant_id, team_id) REFERENCES wrtn_teams (tenant_id, id),
    CONSTRAINT wrtn_deputies_self_check CHECK (employee_id <> absent_employee_id),
    CONSTRAINT wrtn_deputies_right_check CHECK (
        CASE WHEN team_id IS NULL THEN title = 2 AND role = 0 ELSE title = 0 AND role IN (2, 3) END
    )
);
CREATE INDEX ON wrtn_deputies (employee_id, tenant_id);
CREATE INDEX ON wrtn_deputies (absent_employee_id, tenant_id);

CREATE TABLE wrtn_handovers (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    employee_id uuid NOT NULL,
    account_id uuid NOT NULL,
    successor_employee_id uuid NOT NULL,
    decider_member_id uuid NOT NULL,
    state smallint NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, employee_id) REFERENCES wrtn_employees (tenant_id, id),
    FOREIGN KEY (tenant_id, successor_employee_id) REFERENCES wrtn_employees (tenant_id, id),
    CONSTRAINT wrtn_handovers_state_check CHECK (state BETWEEN 1 AND 3)
);
CREATE INDEX ON wrtn_handovers (tenant_id, employee_id, id);
CREATE INDEX ON wrtn_handovers (tenant_id) WHERE state = 1;
CREATE UNIQUE INDEX wrtn_handovers_pending_idx ON wrtn_handovers (tenant_id, account_id) WHERE state = 1;

CREATE TABLE wrtn_account_holders (
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    member_id uuid NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (tenant_id, account_id)
);
CREATE INDEX ON wrtn_account_holders (member_id, tenant_id);

ALTER TABLE wrtn_appointments
    ADD COLUMN absent_employee_id uuid,
    ADD COLUMN until_time timestamptz,
    ADD COLUMN successor_employee_id uuid,
    ADD FOREIGN KEY (tenant_id, absent_employee_id) REFERENCES wrtn_employees (tenant_id, id),
    ADD FOREIGN KEY (tenant_id, successor_employee_id) REFERENCES wrtn_employees (tenant_id, id),
    DROP CONSTRAINT wrtn_appointments_act_check,
    ADD CONSTRAINT wrtn_appointments_act_check CHECK (
        CASE WHEN team_id IS NULL
            THEN (title_before <> title_after OR duties_before <> duties_after)
                AND role_before = 0 AND role_after = 0
            ELSE role_before <> role_after AND title_before = 0 AND title_after = 0
                AND duties_before = '{}' AND duties_after = '{}'
        END
    ),
    ADD CONSTRAINT wrtn_appointments_deputy_check CHECK (
        absent_employee_id IS NOT NULL OR until_time IS NULL
    );
CREATE INDEX ON wrtn_appointments (tenant_id, team_id, sequence);
"""

_TEAMS = """
ALTER TABLE wrtn_teams
    ADD COLUMN rank bigint NOT NULL DEFAULT 0,
    ADD COLUMN version integer NOT NULL DEFAULT 1,
    ADD COLUMN archive_time timestamptz,
    ADD COLUMN archive_team_id uuid,
    ADD FOREIGN KEY (tenant_id, archive_team_id) REFERENCES wrtn_teams (tenant_id, id),
    ADD CONSTRAINT wrtn_teams_archive_check CHECK ((archive_time IS NULL) = (archive_team_id IS NULL));

CREATE TABLE wrtn_team_changes (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL,
    team_id uuid NOT NULL,
    kind smallint NOT NULL,
    parent_team_id uuid,
    display_name text NOT NULL,
    rank bigint NOT NULL,
    archived boolean NOT NULL,
    decider_employee_id uuid,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, sequence),
    FOREIGN KEY (tenant_id, team_id) REFERENCES wrtn_teams (tenant_id, id),
    FOREIGN KEY (tenant_id, parent_team_id) REFERENCES wrtn_teams (tenant_id, id),
    FOREIGN KEY (tenant_id, decider_employee_id) REFERENCES wrtn_employees (tenant_id, id),
    CONSTRAINT wrtn_team_changes_kind_check CHECK (kind BETWEEN 1 AND 6)
);
CREATE INDEX ON wrtn_team_changes (tenant_id, team_id, sequence);
"""

# Teams that stood before there were records: in the order of their making, by nobody on record.
_BACKFILL = """
UPDATE wrtn_teams SET rank = made.number * 4294967296 FROM (
    SELECT tenant_id, id, row_number() OVER (PARTITION BY tenant_id, parent_team_id ORDER BY id) AS number
    FROM wrtn_teams
) AS made WHERE made.tenant_id = wrtn_teams.tenant_id AND made.id = wrtn_teams.id;
INSERT INTO wrtn_team_changes (tenant_id, id, sequence, team_id, kind, parent_team_id, display_name, rank,
                               archived, create_time)
SELECT tenant_id, id, row_number() OVER (PARTITION BY tenant_id ORDER BY id), id, 1, parent_team_id,
       display_name, rank, false, create_time
FROM wrtn_teams;
UPDATE wrtn_enterprises SET last_team_change = made.teams FROM (
    SELECT tenant_id, count(*) AS teams FROM wrtn_teams GROUP BY tenant_id
) AS made WHERE made.tenant_id = wrtn_enterprises.tenant_id;
"""

_BACKFILLED = ("wrtn_enterprises", "wrtn_teams")


def upgrade() -> None:
    """Adds the columns and tables, and gives the teams that there are their order and their first record."""
    op.execute(_ENTERPRISES)
    op.execute(_PEOPLE)
    op.execute(_TEAMS)
    for table in _BACKFILLED:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(_BACKFILL)
    for table in _BACKFILLED:
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    schema.tenant_table(op, "wrtn_logos")
    schema.tenant_table(op, "wrtn_enterprise_states")
    schema.insert_only(op, "wrtn_enterprise_states")
    schema.tenant_table(op, "wrtn_deputies")
    schema.tenant_table(op, "wrtn_handovers")
    schema.tenant_list(op, "wrtn_handovers", "tenant_id", "state")
    schema.tenant_table(op, "wrtn_account_holders")
    schema.tenant_table(op, "wrtn_team_changes")
    schema.insert_only(op, "wrtn_team_changes")
