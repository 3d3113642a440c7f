"""The database and the three roles of a service.

owner: owns the tables, runs migrations. app: what the service works with, no superuser, always under row
level security. worker: relay and jobs, sees the chassis' tables and the list of tenants.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL, make_url

KINDS = ("owner", "app", "worker")
_IDLE_LIMIT = "30s"

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Urls:
    """Where the three roles of a service connect, as SQLAlchemy URLs with passwords."""

    owner: str = field(repr=False)
    app: str = field(repr=False)
    worker: str = field(repr=False)


def provision(admin_url: str, service: str, passwords: Mapping[str, str]) -> Urls:
    """Creates the roles `wrtn_<service>_{owner,app,worker}` and the database `wrtn_<service>`; idempotent.

    `passwords` is keyed "owner", "app", "worker" and is set again each time. The admin is a superuser, or
    may create roles and databases. Blocks.
    """
    database = f"wrtn_{service}"
    with connect(admin_url) as admin:
        for kind in KINDS:
            _create_role(admin, role(service, kind), passwords[kind])
        if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone():
            create_database(admin, service, database)
    return urls(admin_url, service, passwords, database)


def create_database(
    admin: Connection, service: str, database: str, template: str = "template0", strategy: str = "WAL_LOG"
) -> None:
    """Creates a database of this service that only its own roles may connect to.

    The strategy FILE_COPY is for tests: it copies a template as files, at the price of a checkpoint.
    """
    owner = role(service, "owner")
    if admin.execute("SELECT usesuper FROM pg_user WHERE usename = current_user").fetchone() != (True,):
        _run(admin, "GRANT {} TO CURRENT_USER", owner)
    _run(admin, "CREATE DATABASE {} OWNER {} TEMPLATE {} STRATEGY {}", database, owner, template, strategy)
    _run(admin, "REVOKE ALL ON DATABASE {} FROM PUBLIC", database)
    for kind in ("app", "worker"):
        _run(admin, "GRANT CONNECT ON DATABASE {} TO {}", database, role(service, kind))


def urls(admin_url: str, service: str, passwords: Mapping[str, str], database: str) -> Urls:
    """Answers the URLs of a service's roles on the admin's server."""
    base = make_url(admin_url)

    def of(kind: str) -> str:
        url: URL = base.set(username=role(service, kind), password=passwords[kind], database=database)
        return url.render_as_string(hide_password=False)

    return Urls(of("owner"), of("app"), of("worker"))


def role(service: str, kind: str) -> str:
    """Answers the name of a service's role."""
    return f"wrtn_{service}_{kind}"


def connect(url: str) -> Connection:
    """Opens a blocking connection in autocommit mode, from a SQLAlchemy URL."""
    return psycopg.connect(conninfo(url), autocommit=True, connect_timeout=10)


def conninfo(url: str | URL) -> str:
    """Answers a SQLAlchemy URL as libpq reads it: without the driver, and a password's spaces encoded."""
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return plain.replace(" ", "%20")


def _create_role(admin: Connection, name: str, password: str) -> None:
    found = admin.execute(
        "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = %s", (name,)
    ).fetchone()
    if found == (True,):
        raise ValueError(f"role {name} exists and goes past row level security")
    if not found:
        _run(admin, "CREATE ROLE {} LOGIN", name)
    # The server gets the hash and never the password, which a log of statements would keep.
    verifier = admin.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    admin.execute(
        sql.SQL("ALTER ROLE {} LOGIN NOCREATEDB NOCREATEROLE PASSWORD {}").format(
            sql.Identifier(name), sql.Literal(verifier)
        )
    )
    _run(admin, "ALTER ROLE {} SET timezone = 'UTC'", name)
    _run(admin, f"ALTER ROLE {{}} SET idle_in_transaction_session_timeout = '{_IDLE_LIMIT}'", name)


def _run(admin: Connection, statement: str, *names: str) -> None:
    """Runs a statement with the names quoted into its braces."""
    admin.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
