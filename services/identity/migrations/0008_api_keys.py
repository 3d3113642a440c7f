"""API keys of members and of enterprises; credentials that expire and whose secrets rotate."""

from alembic import op

from chassis.database.schema import member_table

revision = "0008"
down_revision = "0007"

_TABLES = """
ALTER TABLE wrtn_service_credentials
    ADD kind text NOT NULL DEFAULT 'CREDENTIAL'
        CONSTRAINT wrtn_service_credentials_kind_check CHECK (kind IN ('CREDENTIAL', 'API_KEY')),
    ADD old_secret_hash bytea,
    ADD old_secret_expire_time timestamptz,
    ADD ending text NOT NULL DEFAULT '',
    ADD expire_time timestamptz,
    ADD last_use_time timestamptz,
    ADD CONSTRAINT wrtn_service_credentials_old_secret_check
        CHECK ((old_secret_hash IS NULL) = (old_secret_expire_time IS NULL));

CREATE TABLE wrtn_api_keys (
    member_id uuid NOT NULL REFERENCES wrtn_members,
    id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    account_id uuid NOT NULL,
    display_name bytea NOT NULL,
    scopes text[] NOT NULL,
    key_hash bytea NOT NULL,
    ending text NOT NULL,
    version integer NOT NULL,
    create_time timestamptz NOT NULL,
    expire_time timestamptz,
    last_use_time timestamptz,
    revoke_time timestamptz,
    PRIMARY KEY (member_id, id),
    UNIQUE (member_id, key_hash)
);
CREATE INDEX wrtn_api_keys_newest_idx ON wrtn_api_keys (member_id, create_time, id);
"""


def upgrade() -> None:
    """Adds the columns with defaults that the version before can live with, and the table of keys."""
    op.execute(_TABLES)
    member_table(op, "wrtn_api_keys")
