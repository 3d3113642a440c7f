"""Signing in by other providers, and the single sign-on of enterprises."""

from alembic import op

from chassis.database.schema import global_table, member_table, tenant_table

revision = "0014"
down_revision = "0013"

_TABLES = """
CREATE TABLE wrtn_federated_identities (
    member_id uuid NOT NULL REFERENCES wrtn_members,
    id uuid NOT NULL,
    provider_id text NOT NULL,
    tenant_id uuid,
    issuer text NOT NULL,
    subject bytea NOT NULL,
    email bytea NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (member_id, id)
);
CREATE INDEX wrtn_federated_identities_newest_idx ON wrtn_federated_identities (member_id, create_time, id);

CREATE TABLE wrtn_federated_subjects (
    subject_hash bytea PRIMARY KEY,
    member_id uuid NOT NULL,
    identity_id uuid NOT NULL,
    FOREIGN KEY (member_id, identity_id) REFERENCES wrtn_federated_identities ON DELETE CASCADE
);
CREATE INDEX wrtn_federated_subjects_member_idx ON wrtn_federated_subjects (member_id, identity_id);

CREATE TABLE wrtn_federated_flows (
    state_hash bytea PRIMARY KEY,
    binding_hash bytea NOT NULL,
    provider_id text NOT NULL,
    tenant_id uuid,
    link_member_id uuid,
    redirect_uri text NOT NULL,
    expire_time timestamptz NOT NULL
);
CREATE INDEX wrtn_federated_flows_expire_idx ON wrtn_federated_flows (expire_time);

CREATE TABLE wrtn_single_sign_ons (
    tenant_id uuid PRIMARY KEY,
    id uuid NOT NULL UNIQUE,
    display_name text NOT NULL,
    issuer text NOT NULL,
    client_id text NOT NULL,
    client_secret bytea NOT NULL,
    link_employees boolean NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL
);
"""


def upgrade() -> None:
    """Creates the tables, each with its guard."""
    op.execute(_TABLES)
    member_table(op, "wrtn_federated_identities")
    tenant_table(op, "wrtn_single_sign_ons")
    global_table(op, "wrtn_federated_subjects", why="keyed hashes, by which members are found")
    global_table(op, "wrtn_federated_flows", why="begun by nobody yet; hashes, good for ten minutes")
