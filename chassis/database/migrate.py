"""Migrations: `python -m chassis.database.migrate <service>` with WRTN_DATABASE_OWNER_URL set.

Versions stand in `services/<name>/migrations/` (or its `versions/`). They are forward-only, and safe
while the previous version of the service still serves. Replicas that start together take turns by an
advisory lock.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.errors import UndefinedTable
from sqlalchemy import Connection, create_engine, text

from chassis.database.engine import Database
from chassis.scope import Scope

VERSION_TABLE = "wrtn_migrations"
_LOCK = 0x7772746E  # "wrtn"; advisory locks are apart in each database.
_VERSIONS = f"SELECT version_num FROM {VERSION_TABLE}"  # noqa: S608
# A table lock that is not got at once would queue every query behind it: better to fail and try again.
_LOCK_TIMEOUT = "10s"


def migrate(owner_url: str, service: str, *, versions: Path | None = None) -> None:
    """Brings the service's database to the newest version. Blocks; waits while another one migrates."""
    engine = create_engine(owner_url, hide_parameters=True)
    try:
        with engine.connect() as connection:
            connection.execute(text(f"SELECT pg_advisory_lock({_LOCK})"))
            connection.execute(text(f"SET lock_timeout = '{_LOCK_TIMEOUT}'"))
            connection.commit()
            _upgrade(connection, service, versions)
            # The lock goes with the session, whatever happens.
    finally:
        engine.dispose()


def script(service: str, versions: Path | None = None) -> ScriptDirectory:
    """Answers the service's versions as alembic sees them."""
    return ScriptDirectory.from_config(_config(service, versions))


async def is_current(database: Database, known: ScriptDirectory) -> bool:
    """Whether the database is at our newest version, or past it (a newer release migrated already)."""
    try:
        async with database.snapshot(Scope()) as snapshot:
            cursor = await (await snapshot.driver()).execute(_VERSIONS)
            rows = await cursor.fetchall()
    except UndefinedTable:
        return False
    heads = set(known.get_heads())
    revisions = {each.revision for each in known.walk_revisions()}
    return bool(rows) and all(row[0] in heads or row[0] not in revisions for row in rows)


def _upgrade(connection: Connection, service: str, versions: Path | None) -> None:
    config = _config(service, versions)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    if MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE}).get_current_heads():
        owner = str(connection.scalar(text("SELECT current_user")))
        base = owner.removesuffix("_owner")
        connection.execute(text(f"GRANT SELECT ON {VERSION_TABLE} TO {base}_app, {base}_worker"))
    connection.commit()


def _config(service: str, versions: Path | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.set_main_option("version_locations", str(versions or _versions_of(service)))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("recursive_version_locations", "true")
    return config


def _versions_of(service: str) -> Path:
    package = importlib.util.find_spec(f"services.{service}")
    if package is None or not package.submodule_search_locations:
        raise SystemExit(f"there is no service named {service}")
    return Path(next(iter(package.submodule_search_locations))) / "migrations"


def main() -> None:
    """Migrates the service named on the command line."""
    url = os.environ.get("WRTN_DATABASE_OWNER_URL")
    if len(sys.argv) != 2 or not url:
        raise SystemExit("usage: WRTN_DATABASE_OWNER_URL=... python -m chassis.database.migrate <service>")
    migrate(url, sys.argv[1])


if __name__ == "__main__":
    main()
