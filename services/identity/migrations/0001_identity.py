"""Members, accounts, logins, staff, credentials, mails and signing keys."""

from alembic import op

from chassis.database.schema import chassis_tables, global_table, insert_only, member_table, tenant_table

revision = "0001"
down_revision = None

_TABLES = """
CREATE TABLE wrtn_members (
    id uuid PRIMARY KEY,
    state text NOT NULL CONSTRAINT wrtn_members_state_check CHECK (state IN ('PENDING', 'ACTIVE')),
    display_name bytea NOT NULL,
    password_hash text NOT NULL,
    locale text NOT NULL,
    time_zone text NOT NULL,
    staff_right integer NOT NULL,
    version integer NOT NULL,
    create_time timestamptz NOT NULL,
    activate_time timestamptz
);

CREATE TABLE wrtn_emails (
    member_id uuid NOT NULL REFERENCES wrtn_members,
    id uuid NOT NULL,
    address bytea NOT NULL,
    address_hash bytea NOT NULL,
    is_primary boolean NOT NULL,
    verify_time timestamptz,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (member_id, id)
);
CREATE UNIQUE INDEX wrtn_emails_primary_key ON wrtn_emails (member_id) WHERE is_primary;

CREATE TABLE wrtn_verified_addresses (
    address_hash bytea PRIMARY KEY,
    member_id uuid NOT NULL,
    email_id uuid NOT NULL,
    FOREIGN KEY (member_id, email_id) REFERENCES wrtn_emails
);

CREATE TABLE wrtn_email_verifications (
    member_id uuid NOT NULL,
    token_hash bytea NOT NULL,
    email_id uuid NOT NULL,
    expire_time timestamptz NOT NULL,
    use_time timestamptz,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (member_id, token_hash),
    FOREIGN KEY (member_id, email_id) REFERENCES wrtn_emails
);

CREATE TABLE wrtn_accounts (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL CONSTRAINT wrtn_accounts_kind_check CHECK (kind IN ('PERSONAL', 'ENTERPRISE')),
    code text NOT NULL,
    holder_member_id uuid NOT NULL REFERENCES wrtn_members,
    version integer NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, code),
    UNIQUE (holder_member_id, id),
    CONSTRAINT wrtn_accounts_tenant_check CHECK ((kind = 'PERSONAL') = (tenant_id = id))
);
CREATE UNIQUE INDEX wrtn_accounts_personal_key ON wrtn_accounts (holder_member_id) WHERE kind = 'PERSONAL';

CREATE TABLE wrtn_logins (
    member_id uuid NOT NULL REFERENCES wrtn_members,
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    expire_time timestamptz NOT NULL,
    end_time timestamptz,
    end_reason text,
    version integer NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (member_id, id),
    CONSTRAINT wrtn_logins_end_check CHECK ((end_time IS NULL) = (end_reason IS NULL))
);

CREATE TABLE wrtn_refresh_tokens (
    member_id uuid NOT NULL,
    token_hash bytea NOT NULL,
    login_id uuid NOT NULL,
    expire_time timestamptz NOT NULL,
    use_time timestamptz,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (member_id, token_hash),
    FOREIGN KEY (member_id, login_id) REFERENCES wrtn_logins
);

CREATE TABLE wrtn_staff_appointments (
    member_id uuid NOT NULL REFERENCES wrtn_members,
    version integer NOT NULL,
    right_before integer NOT NULL,
    right_after integer NOT NULL,
    decider_member_id uuid,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (member_id, version)
);

CREATE TABLE wrtn_service_credentials (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL UNIQUE,
    display_name text NOT NULL,
    scopes text[] NOT NULL,
    secret_hash bytea NOT NULL,
    version integer NOT NULL,
    create_time timestamptz NOT NULL,
    revoke_time timestamptz,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX wrtn_service_credentials_newest_idx ON wrtn_service_credentials (tenant_id, create_time, id);

CREATE TABLE wrtn_signing_keys (
    tenant_id uuid NOT NULL,
    generation integer NOT NULL,
    kid text NOT NULL UNIQUE,
    public_key text NOT NULL,
    private_key bytea NOT NULL,
    activate_time timestamptz NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, generation)
);

CREATE TABLE wrtn_mails (
    id uuid PRIMARY KEY,
    member_id uuid NOT NULL,
    message bytea,
    state text NOT NULL CONSTRAINT wrtn_mails_state_check CHECK (state IN ('QUEUED', 'SENT', 'REFUSED')),
    attempts integer NOT NULL,
    next_attempt_time timestamptz NOT NULL,
    last_error text,
    send_time timestamptz,
    create_time timestamptz NOT NULL
);
CREATE INDEX wrtn_mails_due_idx ON wrtn_mails (next_attempt_time) WHERE state = 'QUEUED';
"""


def upgrade() -> None:
    """Creates all tables, each with its guard."""
    chassis_tables(op)
    op.execute(_TABLES)
    member_table(op, "wrtn_members", "id")
    for table in ("emails", "email_verifications", "logins", "refresh_tokens", "staff_appointments"):
        member_table(op, f"wrtn_{table}")
    tenant_table(op, "wrtn_accounts", member_column="holder_member_id")
    # A credential is a principal like a member: it sees its own row, before anybody knows its tenant.
    tenant_table(op, "wrtn_service_credentials", member_column="id")
    tenant_table(op, "wrtn_signing_keys")
    insert_only(op, "wrtn_staff_appointments")
    global_table(op, "wrtn_verified_addresses", why="keyed hashes, by which members are found")
    global_table(op, "wrtn_mails", why="sent for all members; under their keys")
