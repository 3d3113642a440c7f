"""Favourites, undeletion, retention, legal holds and the purge."""

from alembic import op

from chassis.database import schema

revision = "0006"
down_revision = "0005"

_TABLES = """
ALTER TABLE wrtn_chat_sessions
    ADD COLUMN purge_time timestamptz,
    ADD COLUMN purged boolean NOT NULL DEFAULT false,
    ADD COLUMN favourite boolean NOT NULL DEFAULT false,
    ADD COLUMN version integer NOT NULL DEFAULT 1;
-- Its own predicate keeps it out of the look-ups by tenant and id, and of the updates of live sessions.
CREATE INDEX wrtn_chat_sessions_purge_idx
    ON wrtn_chat_sessions (tenant_id, delete_time, id) WHERE delete_time IS NOT NULL AND NOT purged;

CREATE TABLE wrtn_retentions (
    tenant_id uuid NOT NULL,
    keep_days integer NOT NULL,
    deleted_days integer NOT NULL,
    update_time timestamptz NOT NULL,
    CONSTRAINT wrtn_retentions_pkey PRIMARY KEY (tenant_id)
);

CREATE TABLE wrtn_legal_holds (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    chat_session_id uuid,
    account_id uuid,
    reason bytea NOT NULL,
    create_member_id uuid NOT NULL,
    create_time timestamptz NOT NULL,
    release_time timestamptz,
    CONSTRAINT wrtn_legal_holds_pkey PRIMARY KEY (tenant_id, id),
    CONSTRAINT wrtn_legal_holds_subject_check CHECK (num_nonnulls(chat_session_id, account_id) = 1)
);
CREATE INDEX wrtn_legal_holds_lasting_idx
    ON wrtn_legal_holds (tenant_id, create_time, id) WHERE release_time IS NULL;
"""

# Of a history nothing changes but its body, to nothing, once the purge of its session has begun.
_GUARD = """
CREATE FUNCTION wrtn_refuse_all_but_purge() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE emptied wrtn_histories%ROWTYPE := OLD;
BEGIN
    emptied.body := '';
    IF NEW IS DISTINCT FROM emptied OR NOT EXISTS (
        SELECT FROM wrtn_chat_sessions AS s
        WHERE s.tenant_id = OLD.tenant_id AND s.id = OLD.chat_session_id AND s.purge_time IS NOT NULL
    ) THEN
        RAISE EXCEPTION '% is insert-only: % refused', TG_TABLE_NAME, TG_OP
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER wrtn_histories_insert_only ON wrtn_histories;
CREATE TRIGGER wrtn_histories_insert_only BEFORE DELETE OR TRUNCATE ON wrtn_histories
    FOR EACH STATEMENT EXECUTE FUNCTION wrtn_refuse_change();
CREATE TRIGGER wrtn_histories_purge_only BEFORE UPDATE ON wrtn_histories
    FOR EACH ROW EXECUTE FUNCTION wrtn_refuse_all_but_purge();
ALTER TABLE wrtn_histories ENABLE ALWAYS TRIGGER wrtn_histories_insert_only;
ALTER TABLE wrtn_histories ENABLE ALWAYS TRIGGER wrtn_histories_purge_only;
"""


def upgrade() -> None:
    """Creates the tables; a purge may empty bodies, and nothing else may change a history."""
    op.execute(_TABLES)
    # FORCE would have the owner of the table see none of its rows.
    op.execute("ALTER TABLE wrtn_chat_sessions NO FORCE ROW LEVEL SECURITY")
    op.execute("UPDATE wrtn_chat_sessions SET version = 2 WHERE delete_time IS NOT NULL")
    op.execute("ALTER TABLE wrtn_chat_sessions FORCE ROW LEVEL SECURITY")
    schema.tenant_table(op, "wrtn_retentions")
    schema.tenant_table(op, "wrtn_legal_holds")
    schema.tenant_list(op, "wrtn_chat_sessions", "tenant_id", "delete_time", "purged")
    schema.tenant_list(op, "wrtn_retentions", "tenant_id", "keep_days")
    op.execute(_GUARD)
    schema.app_updates(op, "wrtn_histories", "body")
