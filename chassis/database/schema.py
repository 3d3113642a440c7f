"""DDL for migrations: the chassis' own tables, and the guards that every table of a service must have.

Used with alembic's `op`. A migration runs as the owner role `wrtn_<service>_owner`; grants go to the
`_app` and `_worker` roles of the same service. Each table is made a tenant table, a member table or a
global one; a test refuses those that are none (`chassis.testing.tables.assert_tables_guarded`).
"""

from __future__ import annotations

from typing import Protocol
from uuid import UUID

from sqlalchemy import Connection, text

# A setting that was local to an earlier transaction reads as '' afterwards. As a subquery it is read
# once a statement and not once a row, also where no index helps.
_TENANTS = "(SELECT nullif(current_setting('wrtn.tenants', true), '')::uuid[])::uuid[]"
_MEMBER = "(SELECT nullif(current_setting('wrtn.member', true), '')::uuid)"
_OWNER_SUFFIX = "_owner"


class Operations(Protocol):
    """The part of alembic's `op` that is used here."""

    def execute(self, sqltext: str) -> None:
        """Executes DDL."""

    def get_bind(self) -> Connection:
        """Answers the connection of the migration."""


CHASSIS_TABLES = (
    "wrtn_outbox",
    "wrtn_inbox",
    "wrtn_dead_letters",
    "wrtn_relay_streams",
    "wrtn_leases",
    "wrtn_idempotency_keys",
    "wrtn_data_keys",
    "wrtn_audit_entries",
    "wrtn_audit_unsealed",
    "wrtn_audit_seals",
    "wrtn_operations",
)
"""The tables of the chassis: `chassis_tables`, `chassis.audit.schema` and `chassis.operations.schema`."""

_DDL = """
CREATE FUNCTION wrtn_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is insert-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

-- Without pg_notify on insert: it takes a lock that lets one transaction commit at a time
-- (measured with 16 writers: 480 commits a second instead of 2,500). The process wakes its own relay.
CREATE TABLE wrtn_outbox (
    id uuid PRIMARY KEY,
    tenant_id uuid,
    subject text NOT NULL,
    aggregate_id uuid NOT NULL,
    aggregate_version bigint NOT NULL,
    payload bytea NOT NULL,
    traceparent text,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent_time timestamptz,
    epoch text
);
CREATE INDEX wrtn_outbox_unsent_idx ON wrtn_outbox (id) WHERE sent_time IS NULL;
CREATE INDEX wrtn_outbox_create_time_idx ON wrtn_outbox USING brin (create_time);

CREATE TABLE wrtn_inbox (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    receive_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, event_id)
);
CREATE INDEX wrtn_inbox_receive_time_idx ON wrtn_inbox USING brin (receive_time);

CREATE TABLE wrtn_dead_letters (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    state text NOT NULL,
    subject text NOT NULL,
    headers jsonb NOT NULL,
    payload bytea NOT NULL,
    failures integer NOT NULL,
    last_error text NOT NULL,
    first_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, event_id)
);

CREATE TABLE wrtn_relay_streams (
    stream text PRIMARY KEY,
    created text NOT NULL
);

CREATE TABLE wrtn_leases (
    name text PRIMARY KEY,
    holder text NOT NULL,
    expire_time timestamptz NOT NULL
);

CREATE TABLE wrtn_idempotency_keys (
    owner text NOT NULL,
    method text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    response bytea,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (owner, method, key)
);
CREATE INDEX wrtn_idempotency_keys_create_time_idx ON wrtn_idempotency_keys USING brin (create_time);

CREATE TABLE wrtn_data_keys (
    owner_id uuid NOT NULL,
    version integer NOT NULL,
    wrapped_key bytea,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    destroy_time timestamptz,
    PRIMARY KEY (owner_id, version),
    CONSTRAINT wrtn_data_keys_destroyed_check CHECK ((wrapped_key IS NULL) = (destroy_time IS NOT NULL))
);
"""


def chassis_tables(op: Operations) -> None:
    """Creates the tables that the chassis works with; the first thing a service's first migration does."""
    op.execute(_DDL)
    global_table(
        op, "wrtn_outbox", app="INSERT", worker="SELECT, UPDATE, DELETE", why="holds ids, relayed for all"
    )
    global_table(op, "wrtn_inbox", app="SELECT, INSERT", worker="SELECT, DELETE", why="event ids only")
    every = "SELECT, INSERT, UPDATE, DELETE"
    global_table(op, "wrtn_dead_letters", app=every, worker=every, why="kept by operators, for all tenants")
    global_table(op, "wrtn_relay_streams", app="", worker=every, why="the relay's own")
    global_table(op, "wrtn_leases", app="", worker=every, why="the jobs' own")
    global_table(op, "wrtn_idempotency_keys", app=every, why="keyed by caller; answers are sealed")
    _protect(op, "wrtn_data_keys")
    _policy(op, "wrtn_data_keys", "owner", "ALL", f"owner_id = ANY ({_TENANTS}) OR owner_id = {_MEMBER}")
    _grant(op, "wrtn_data_keys", "app", "SELECT, INSERT, UPDATE")


def tenant_table(op: Operations, table: str, member_column: str | None = None) -> None:
    """Puts the table under row level security by its column `tenant_id`, for the owner role as well.

    With `member_column` the member of the scope also sees the rows that name them there, in any tenant,
    and may not change them through that.
    """
    _protect(op, table)
    _policy(op, table, "tenant", "ALL", f"tenant_id = ANY ({_TENANTS})")
    if member_column:
        _policy(op, table, "member", "SELECT", f"{member_column} = {_MEMBER}")
    _grant(op, table, "app", "SELECT, INSERT, UPDATE, DELETE")


def member_table(op: Operations, table: str, member_column: str = "member_id") -> None:
    """Puts a table without tenant under row level security: members see and change their own rows alone."""
    _protect(op, table)
    _policy(op, table, "member", "ALL", f"{member_column} = {_MEMBER}")
    _grant(op, table, "app", "SELECT, INSERT, UPDATE, DELETE")


def global_table(
    op: Operations,
    table: str,
    *,
    why: str = "",
    app: str = "SELECT, INSERT, UPDATE, DELETE",
    worker: str = "",
) -> None:
    """Declares a table that belongs to no tenant. `why` stays with the table; the rest are privileges."""
    op.execute(f"COMMENT ON TABLE {table} IS 'global: {why.replace(chr(39), chr(39) * 2)}'")
    _grant(op, table, "app", app)
    _grant(op, table, "worker", worker)


def insert_only(op: Operations, table: str) -> None:
    """Makes the database refuse UPDATE, DELETE and TRUNCATE, whoever asks (superusers included)."""
    op.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {_role('app', op)}")
    op.execute(
        f"CREATE TRIGGER {table}_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION wrtn_refuse_change()"
    )
    op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_insert_only")


def app_updates(op: Operations, table: str, *columns: str) -> None:
    """Lets the app role change these columns of an insert-only table, as far as its triggers do."""
    op.execute(f"GRANT UPDATE ({', '.join(columns)}) ON {table} TO {_role('app', op)}")


def app_reads(op: Operations, table: str) -> None:
    """Leaves the app role to read a tenant table, which triggers of other tables write."""
    op.execute(f"REVOKE INSERT, UPDATE, DELETE ON {table} FROM {_role('app', op)}")


def platform_reads(op: Operations, table: str) -> None:
    """Lets transactions of the platform's tenant (all zeros) read the rows of every tenant or member.

    For what staff list; the use case judges the right before it opens such a transaction.
    """
    _policy(op, table, "platform", "SELECT", f"'{UUID(int=0)}'::uuid = ANY ({_TENANTS})")


def tenant_list(op: Operations, table: str, *columns: str) -> None:
    """Lets the worker role list the service's tenants: these columns of this table, and of no other."""
    op.execute(f"GRANT SELECT ({', '.join(columns)}) ON {table} TO {_role('worker', op)}")
    op.execute(f"CREATE POLICY worker ON {table} FOR SELECT TO {_role('worker', op)} USING (true)")


def worker_reads(op: Operations, table: str, *, adds: bool = False) -> None:
    """Lets the worker role read a chassis table under row level security, and if it `adds`, insert too.

    What the app role may do with a table to which the worker adds, is to read it.
    """
    worker = _role("worker", op)
    op.execute(f"GRANT SELECT{', INSERT' if adds else ''} ON {table} TO {worker}")
    op.execute(f"CREATE POLICY worker ON {table} TO {worker} USING (true)")
    if adds:
        op.execute(f"REVOKE INSERT ON {table} FROM {_role('app', op)}")


def worker_leases(op: Operations, table: str, *, reads: str, writes: str) -> None:
    """Lets the worker role find work in a tenant table and lease it: these columns, and no others."""
    worker = _role("worker", op)
    op.execute(f"GRANT SELECT ({reads}), UPDATE ({writes}) ON {table} TO {worker}")
    op.execute(f"CREATE POLICY worker ON {table} TO {worker} USING (true)")


def _protect(op: Operations, table: str) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")


def _policy(op: Operations, table: str, name: str, command: str, rule: str) -> None:
    op.execute(f"CREATE POLICY {name} ON {table} FOR {command} USING ({rule})")


def _grant(op: Operations, table: str, kind: str, privileges: str) -> None:
    if privileges:
        op.execute(f"GRANT {privileges} ON {table} TO {_role(kind, op)}")


def _role(kind: str, op: Operations) -> str:
    """The service's role of this kind, after the owner who runs the migration."""
    owner = str(op.get_bind().scalar(text("SELECT current_user")))
    if not owner.endswith(_OWNER_SUFFIX):
        raise RuntimeError(f"migrations run as wrtn_<service>_owner, not as {owner}")
    return f"{owner.removesuffix(_OWNER_SUFFIX)}_{kind}"
