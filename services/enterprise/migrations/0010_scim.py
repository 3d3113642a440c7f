"""What directories provision by SCIM, and API keys as deciders on record."""

from alembic import op

from chassis.database import schema

revision = "0010"
down_revision = "0009"

_DECIDERS = """
ALTER TABLE wrtn_appointments
    ALTER COLUMN decider_employee_id DROP NOT NULL,
    ADD COLUMN decider_credential_id uuid,
    ADD CONSTRAINT wrtn_appointments_decider_check
        CHECK (num_nonnulls(decider_employee_id, decider_credential_id) = 1);
ALTER TABLE wrtn_team_changes ADD COLUMN decider_credential_id uuid;
"""

_SCIM = """
CREATE TABLE wrtn_scim_users (
    tenant_id uuid NOT NULL,
    employee_id uuid NOT NULL,
    user_name_hash bytea NOT NULL,
    external_id_hash bytea,
    display_name_hash bytea,
    email_hashes bytea[] NOT NULL,
    work_email_hashes bytea[] NOT NULL,
    sealed bytea NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, employee_id),
    FOREIGN KEY (tenant_id, employee_id) REFERENCES wrtn_employees (tenant_id, id)
);
CREATE UNIQUE INDEX wrtn_scim_users_user_name_key ON wrtn_scim_users (user_name_hash, tenant_id);
CREATE INDEX ON wrtn_scim_users (external_id_hash, tenant_id);

CREATE TABLE wrtn_scim_groups (
    tenant_id uuid NOT NULL,
    team_id uuid NOT NULL,
    external_id text,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, team_id),
    FOREIGN KEY (tenant_id, team_id) REFERENCES wrtn_teams (tenant_id, id)
);
CREATE UNIQUE INDEX wrtn_scim_groups_external_id_key ON wrtn_scim_groups (external_id, tenant_id);
"""


def upgrade() -> None:
    """Adds the columns and tables."""
    op.execute(_DECIDERS)
    op.execute(_SCIM)
    schema.tenant_table(op, "wrtn_scim_users")
    schema.tenant_table(op, "wrtn_scim_groups")
