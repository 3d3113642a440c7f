"""Tokens are counted where a plan lets no more be used than it includes."""

from alembic import op

from chassis.database import schema

revision = "0029"
down_revision = "0028"

_TABLES = """
CREATE TABLE wrtn_token_counts (
    tenant_id uuid NOT NULL,
    start_time timestamptz NOT NULL,
    end_time timestamptz NOT NULL,
    allowed bigint NOT NULL,
    used bigint NOT NULL,
    PRIMARY KEY (tenant_id, start_time),
    CONSTRAINT wrtn_token_counts_times_check CHECK (end_time > start_time),
    CONSTRAINT wrtn_token_counts_numbers_check CHECK (least(allowed, used) >= 0)
) WITH (fillfactor = 80);

CREATE TABLE wrtn_token_holds (
    tenant_id uuid NOT NULL,
    reservation_id uuid NOT NULL,
    tokens bigint NOT NULL CONSTRAINT wrtn_token_holds_tokens_check CHECK (tokens > 0),
    PRIMARY KEY (tenant_id, reservation_id)
);
"""


def upgrade() -> None:
    """Creates the tables."""
    op.execute(_TABLES)
    for table in ("wrtn_token_counts", "wrtn_token_holds"):
        schema.tenant_table(op, table)
