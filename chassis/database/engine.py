"""The connection pool, and the opening and closing of transactions under row level security.

A transaction costs three round trips: BEGIN with its settings, the work, COMMIT. The settings are
local to the transaction, so a connection goes back to the pool without any; a connection that is not
at rest when it comes back is thrown away.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, TypeVar, cast

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import AsyncAdaptedQueuePool, Connection, event
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from chassis.call import current_or_none
from chassis.clock import Clock
from chassis.database.failures import translated
from chassis.database.transactions import Driver, Snapshot, Transaction
from chassis.scope import Scope

_BEGIN = "BEGIN"
_BEGIN_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_GRACE_SECONDS = 2.0
"""How much longer than the server's own timeout the client waits for an answer."""

_CONNECT = {
    # We say BEGIN ourselves, together with the settings; psycopg would send one before, on its own.
    "autocommit": True,
    "connect_timeout": 4,
    # A peer that went away without a word is noticed within seconds (Linux; ignored on unix sockets).
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 8000,
}

T = TypeVar("T", bound=Snapshot)


class Database:
    """One role's pool of connections to one database (a postgresql+psycopg URL).

    At most `pool_size` transactions run at once; more wait for `pool_timeout` seconds and are then
    refused with ResourceExhausted (POOL_EXHAUSTED). A statement may take `time_limit` seconds, less if
    the current call's deadline is nearer; a connection that is silent for longer is cut. A lost
    connection raises Unavailable, and the next transaction gets a fresh one. Connects at first use.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        pool_timeout: float = 5.0,
        time_limit: float = 10.0,
        clock: Clock,
    ) -> None:
        self._clock = clock
        self._time_limit = time_limit
        self._stale_before = 0.0
        self._engine = create_async_engine(
            url,
            connect_args=_CONNECT,
            hide_parameters=True,
            max_overflow=0,
            pool_reset_on_return=None,
            pool_size=pool_size,
            pool_timeout=pool_timeout,
            pool_use_lifo=True,
            use_native_hstore=False,
        )
        event.listen(self._engine.sync_engine, "connect", _note_time)

    def transaction(
        self, scope: Scope, *, time_limit: float | None = None
    ) -> AbstractAsyncContextManager[Transaction]:
        """Opens a transaction that commits once at the end, and rolls back on any exception or cancellation.

        Raises Aborted after a conflict with another transaction, and what the class says.
        """
        return self._open(Transaction, _BEGIN, scope, time_limit or self._time_limit)

    def snapshot(
        self, scope: Scope, *, time_limit: float | None = None
    ) -> AbstractAsyncContextManager[Snapshot]:
        """Opens a read-only transaction on one consistent state of the database."""
        return self._open(Snapshot, _BEGIN_SNAPSHOT, scope, time_limit or self._time_limit)

    async def close(self) -> None:
        """Closes the connections at rest; those at work close when they come back."""
        await self._engine.dispose()

    @property
    def in_use(self) -> int:
        """How many connections are at work now."""
        return cast("AsyncAdaptedQueuePool", self._engine.pool).checkedout()

    @asynccontextmanager
    async def _open(self, kind: type[T], begin: str, scope: Scope, limit: float) -> AsyncIterator[T]:
        with translated():
            held = await self._begin(f"{begin};{_settings(scope, limit)}", limit + _GRACE_SECONDS)
            transaction = kind(held.connection, held.driver, scope, self._clock)
            try:
                yield transaction
                await transaction._finish()
            except BaseException:
                await held.roll_back()
                raise
            finally:
                await held.give_back(transaction)

    async def _begin(self, statements: str, patience: float) -> _Held:
        """Takes a connection and begins. A pooled one may have died at rest: then the next one is tried.

        This spares the round trip of a ping; nothing has been executed yet, so trying again is safe.
        """
        while True:
            started = time.monotonic()
            held = _Held(await self._engine.connect(), patience)
            opened: float = held.connection.info["opened"]
            if opened < self._stale_before:
                await held.drop()
                continue
            try:
                await held.driver.execute(statements, prepare=False)
                return held
            except psycopg.OperationalError:
                await held.drop()
                if opened >= started:
                    raise
                self._stale_before = started
            except BaseException:
                await held.drop()
                raise


class _Held:
    """A connection taken from the pool, with a timer that cuts it when the server stays silent."""

    def __init__(self, connection: AsyncConnection, patience: float) -> None:
        self.connection = connection
        self.driver = cast(
            "Driver", cast("Connection", connection.sync_connection).connection.driver_connection
        )
        self._silence = asyncio.get_running_loop().call_later(patience, self._cut)

    @property
    def at_rest(self) -> bool:
        """Whether the connection is in no transaction, and not broken."""
        return self.driver.info.transaction_status == TransactionStatus.IDLE

    async def roll_back(self) -> None:
        """Rolls back if there is something to; a connection that cannot is dropped when given back."""
        if not self.at_rest and not self.driver.closed:
            with suppress(psycopg.Error):
                await self.driver.rollback()

    async def give_back(self, transaction: Snapshot) -> None:
        """Returns the connection to the pool if it is at rest, else closes it: no setting may leak."""
        try:
            if not self.at_rest:
                await self.connection.invalidate()
            await transaction._close()
        finally:
            self._silence.cancel()
            await self.connection.close()

    async def drop(self) -> None:
        """Closes the connection; the pool opens another in its place."""
        self._silence.cancel()
        await self.connection.invalidate()
        await self.connection.close()

    def _cut(self) -> None:
        """Shuts the socket down, so that whoever waits for the server fails at once."""
        with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(self.driver.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)


def _note_time(_: Any, record: Any) -> None:
    record.info["opened"] = time.monotonic()


def _settings(scope: Scope, limit: float) -> str:
    """The transaction's settings as one statement. Ids go in as hex digits: nothing in it needs quoting."""
    call = current_or_none()
    left = call.remaining() if call else None
    milliseconds = max(1, int(1000 * (limit if left is None else min(limit, left))))
    tenants = ",".join([tenant.hex for tenant in scope.tenants])
    member = scope.member_id.hex if scope.member_id else ""
    return (
        f"SELECT set_config('wrtn.tenants','{{{tenants}}}',true),set_config('wrtn.member','{member}',true),"
        f"set_config('statement_timeout','{milliseconds}',true)"
    )
