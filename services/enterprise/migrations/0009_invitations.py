"""Invitations, and letters to addresses that are nobody's yet."""

from alembic import op

from chassis.database import schema

revision = "0009"
down_revision = "0008"

_TABLES = """
CREATE TABLE wrtn_invitations (
    tenant_id uuid NOT NULL REFERENCES wrtn_enterprises,
    id uuid NOT NULL,
    address bytea NOT NULL,
    address_hash bytea NOT NULL,
    title smallint NOT NULL,
    places jsonb NOT NULL,
    inviter_employee_id uuid NOT NULL,
    inviter_member_id uuid NOT NULL,
    state text NOT NULL,
    token_hash bytea NOT NULL,
    mails integer NOT NULL,
    mail_time timestamptz NOT NULL,
    expire_time timestamptz NOT NULL,
    employee_id uuid,
    version integer NOT NULL,
    create_time timestamptz NOT NULL,
    end_time timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, inviter_employee_id) REFERENCES wrtn_employees (tenant_id, id),
    CONSTRAINT wrtn_invitations_state_check
        CHECK (state IN ('OPEN', 'ACCEPTED', 'DECLINED', 'REVOKED', 'EXPIRED')),
    CONSTRAINT wrtn_invitations_title_check CHECK (title BETWEEN 1 AND 3)
);
CREATE UNIQUE INDEX wrtn_invitations_open_key ON wrtn_invitations (address_hash, tenant_id)
    WHERE state = 'OPEN';
CREATE INDEX ON wrtn_invitations (tenant_id, inviter_employee_id);

CREATE TABLE wrtn_invited_addresses (
    tenant_id uuid NOT NULL,
    invitation_id uuid NOT NULL,
    address_hash bytea NOT NULL,
    PRIMARY KEY (tenant_id, invitation_id),
    FOREIGN KEY (tenant_id, invitation_id) REFERENCES wrtn_invitations (tenant_id, id)
);
CREATE INDEX ON wrtn_invited_addresses (address_hash);

ALTER TABLE wrtn_letters
    ALTER COLUMN member_id DROP NOT NULL,
    ADD COLUMN sealed bytea,
    ADD CONSTRAINT wrtn_letters_recipient_check CHECK ((member_id IS NULL) = (sealed IS NOT NULL));
"""


def upgrade() -> None:
    """Creates the tables, and lets a letter be sealed instead of naming a member."""
    op.execute(_TABLES)
    schema.tenant_table(op, "wrtn_invitations")
    schema.global_table(
        op, "wrtn_invited_addresses", why="keyed hashes, by which members find their invitations"
    )
