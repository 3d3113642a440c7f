# ruff: noqa: INP001 - alembic loads this file by its path
"""The alembic environment that all services share; `chassis.database.migrate` hands it the connection."""

from __future__ import annotations

from alembic import context

from chassis.database.migrate import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    transaction_per_migration=True,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
