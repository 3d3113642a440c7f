"""Files, the pieces in which they are kept, and the histories to which they are attached."""

from alembic import op

from chassis.database import schema

revision = "0007"
down_revision = "0006"

_TABLES = """
CREATE TABLE wrtn_files (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    chat_session_id uuid NOT NULL,
    state smallint NOT NULL,
    media_type text NOT NULL,
    size bigint NOT NULL,
    received bigint NOT NULL,
    display_name bytea,
    sha256 bytea,
    cleared boolean NOT NULL DEFAULT false,
    create_time timestamptz NOT NULL,
    CONSTRAINT wrtn_files_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT wrtn_files_received_check CHECK (received BETWEEN 0 AND size)
);
CREATE INDEX wrtn_files_session_idx ON wrtn_files (chat_session_id, tenant_id);
CREATE INDEX wrtn_files_clearing_idx ON wrtn_files (tenant_id, create_time) WHERE state <> 2 AND NOT cleared;

CREATE TABLE wrtn_file_pieces (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    file_id uuid NOT NULL,
    start bigint NOT NULL,
    size integer,
    create_time timestamptz NOT NULL,
    CONSTRAINT wrtn_file_pieces_pkey PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX wrtn_file_pieces_start_key
    ON wrtn_file_pieces (tenant_id, file_id, start) WHERE size IS NOT NULL;
CREATE INDEX wrtn_file_pieces_unstored_idx ON wrtn_file_pieces (tenant_id, create_time) WHERE size IS NULL;

CREATE TABLE wrtn_history_files (
    tenant_id uuid NOT NULL,
    history_id uuid NOT NULL,
    sequence bigint NOT NULL,
    file_id uuid NOT NULL,
    CONSTRAINT wrtn_history_files_pkey PRIMARY KEY (tenant_id, history_id, sequence)
);
"""


def upgrade() -> None:
    """Creates the tables. The worker role lists the tenants that have something to clear."""
    op.execute(_TABLES)
    for table in ("wrtn_files", "wrtn_file_pieces", "wrtn_history_files"):
        schema.tenant_table(op, table)
    schema.insert_only(op, "wrtn_history_files")
    schema.tenant_list(op, "wrtn_files", "tenant_id", "state", "cleared", "create_time")
    schema.tenant_list(op, "wrtn_file_pieces", "tenant_id", "size", "create_time")
