"""Archives of personal data, certificates of its end, and members of whom nothing is left."""

from alembic import op

from chassis.database.schema import global_table, insert_only

revision = "0015"
down_revision = "0014"

_TABLES = """
ALTER TABLE wrtn_members
    DROP CONSTRAINT wrtn_members_state_check,
    ADD CONSTRAINT wrtn_members_state_check
        CHECK (state IN ('PENDING', 'ACTIVE', 'SUSPENDED', 'CLOSED', 'ERASED'));

CREATE TABLE wrtn_exports (
    member_id uuid NOT NULL,
    id uuid NOT NULL,
    size bigint NOT NULL,
    create_time timestamptz NOT NULL,
    expire_time timestamptz NOT NULL,
    PRIMARY KEY (member_id, id)
);
CREATE INDEX wrtn_exports_expire_idx ON wrtn_exports (expire_time);

CREATE TABLE wrtn_erasure_certificates (
    id uuid PRIMARY KEY,
    member_id uuid NOT NULL,
    document text NOT NULL,
    hash bytea NOT NULL,
    create_time timestamptz NOT NULL
);
CREATE INDEX wrtn_erasure_certificates_newest_idx ON wrtn_erasure_certificates (create_time, id);
"""


def upgrade() -> None:
    """Widens the check, which the version before passes anyway, and creates the tables."""
    op.execute(_TABLES)
    global_table(op, "wrtn_exports", why="ids and times; the archives are under their members' keys")
    global_table(op, "wrtn_erasure_certificates", why="ids and numbers, for administrators")
    insert_only(op, "wrtn_erasure_certificates")
