"""Passkeys."""

from alembic import op

from chassis.database.schema import global_table, member_table

revision = "0009"
down_revision = "0008"

_TABLES = """
CREATE TABLE wrtn_passkeys (
    member_id uuid NOT NULL REFERENCES wrtn_members,
    id uuid NOT NULL,
    credential_id bytea NOT NULL,
    public_key bytea NOT NULL,
    display_name bytea NOT NULL,
    sign_count bigint NOT NULL,
    last_use_time timestamptz,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (member_id, id),
    UNIQUE (member_id, credential_id)
);

CREATE TABLE wrtn_answered_challenges (
    challenge_hash bytea PRIMARY KEY,
    expire_time timestamptz NOT NULL
);
CREATE INDEX wrtn_answered_challenges_expire_idx ON wrtn_answered_challenges (expire_time);
"""


def upgrade() -> None:
    """Creates the tables, each with its guard."""
    op.execute(_TABLES)
    member_table(op, "wrtn_passkeys")
    global_table(op, "wrtn_answered_challenges", why="hashes of chance, kept until they have expired")
