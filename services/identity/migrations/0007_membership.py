"""Phones, avatars, holds with their record, closing, and the resetting of passwords."""

from alembic import op

from chassis.database.schema import insert_only, member_table

revision = "0007"
down_revision = "0006"

_TABLES = """
ALTER TABLE wrtn_members
    DROP CONSTRAINT wrtn_members_state_check,
    ADD CONSTRAINT wrtn_members_state_check CHECK (state IN ('PENDING', 'ACTIVE', 'SUSPENDED', 'CLOSED')),
    ADD phone bytea,
    ADD close_time timestamptz;

ALTER TABLE wrtn_emails
    ADD CONSTRAINT wrtn_emails_member_id_address_hash_key UNIQUE (member_id, address_hash);
-- A verification outlives an address that is removed: by them it is counted how often mails were sent.
ALTER TABLE wrtn_email_verifications DROP CONSTRAINT wrtn_email_verifications_member_id_email_id_fkey;

CREATE TABLE wrtn_avatars (
    member_id uuid PRIMARY KEY REFERENCES wrtn_members,
    media_type text NOT NULL,
    image bytea NOT NULL,
    create_time timestamptz NOT NULL
);

CREATE TABLE wrtn_holds (
    member_id uuid NOT NULL REFERENCES wrtn_members,
    reason text NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (member_id, reason)
);

CREATE TABLE wrtn_suspensions (
    member_id uuid NOT NULL REFERENCES wrtn_members,
    id uuid NOT NULL,
    action text NOT NULL CONSTRAINT wrtn_suspensions_action_check CHECK (action IN ('PLACED', 'LIFTED')),
    reason text NOT NULL,
    note bytea NOT NULL,
    decider_member_id uuid NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (member_id, id)
);
CREATE INDEX wrtn_suspensions_newest_idx ON wrtn_suspensions (member_id, create_time, id);

CREATE TABLE wrtn_password_resets (
    member_id uuid NOT NULL,
    token_hash bytea NOT NULL,
    address_hash bytea NOT NULL,
    expire_time timestamptz NOT NULL,
    use_time timestamptz,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (member_id, token_hash)
);
CREATE INDEX wrtn_password_resets_address_idx ON wrtn_password_resets (address_hash, create_time);
"""


def upgrade() -> None:
    """Adds columns and tables; what is dropped were checks that the version before passes anyway."""
    op.execute(_TABLES)
    for table in ("avatars", "holds", "suspensions", "password_resets"):
        member_table(op, f"wrtn_{table}")
    insert_only(op, "wrtn_suspensions")
