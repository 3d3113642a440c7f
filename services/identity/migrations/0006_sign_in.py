"""Guesses, known devices, authenticator apps, recovery codes, and sign-ins that wait for a second factor."""

from alembic import op

from chassis.database.schema import global_table, member_table

revision = "0006"
down_revision = "0005"

_TABLES = """
CREATE TABLE wrtn_guesses (
    subject_hash bytea PRIMARY KEY,
    tries timestamptz[] NOT NULL,
    last_time timestamptz NOT NULL
);
CREATE INDEX wrtn_guesses_last_idx ON wrtn_guesses (last_time);

CREATE TABLE wrtn_known_devices (
    member_id uuid NOT NULL REFERENCES wrtn_members,
    token_hash bytea NOT NULL,
    expire_time timestamptz NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (member_id, token_hash)
);

CREATE TABLE wrtn_totp_factors (
    member_id uuid PRIMARY KEY REFERENCES wrtn_members,
    secret bytea NOT NULL,
    state text NOT NULL CONSTRAINT wrtn_totp_factors_state_check CHECK (state IN ('PENDING', 'ACTIVE')),
    last_step integer NOT NULL,
    create_time timestamptz NOT NULL
);

CREATE TABLE wrtn_recovery_codes (
    member_id uuid NOT NULL REFERENCES wrtn_members,
    code_hash bytea NOT NULL,
    use_time timestamptz,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (member_id, code_hash)
);

CREATE TABLE wrtn_sign_in_challenges (
    member_id uuid NOT NULL REFERENCES wrtn_members,
    token_hash bytea NOT NULL,
    methods text[] NOT NULL,
    device_hash bytea,
    expire_time timestamptz NOT NULL,
    create_time timestamptz NOT NULL,
    PRIMARY KEY (member_id, token_hash)
);
"""


def upgrade() -> None:
    """Creates the tables, each with its guard."""
    op.execute(_TABLES)
    global_table(op, "wrtn_guesses", why="keyed hashes of what was guessed at, unknown addresses too")
    for table in ("known_devices", "totp_factors", "recovery_codes", "sign_in_challenges"):
        member_table(op, f"wrtn_{table}")
