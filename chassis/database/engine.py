"""The opening and closing of transactions under row level security.

A transaction costs three round trips: BEGIN with its settings, the work, COMMIT. The settings are
local to the transaction, so a connection goes back to the pool without any; a connection that is not
at rest when it comes back is thrown away.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

from chassis.call import current_or_none
from chassis.clock import Clock
from chassis.database.failures import DatabaseUnavailable, translate, translated
from chassis.database.pool import Pool, Pooled
from chassis.database.transactions import Auditor, Driver, Snapshot, Transaction
from chassis.scope import Scope

_BEGIN = "BEGIN"
_BEGIN_SNAPSHOT = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_BEGIN_READ = "BEGIN READ ONLY"
_PLAN_ONCE = (
    ",set_config('plan_cache_mode','force_generic_plan',true),set_config('enable_seqscan','off',true)"
)
_GRACE_SECONDS = 2.0
"""How much longer than the server's own timeout the client waits for an answer."""

T = TypeVar("T", bound=Snapshot)
R = TypeVar("R")
Statements = Callable[[Driver], Awaitable[None]]
"""Sends statements without waiting for their results."""


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
        self.clock = clock
        self.on_events: Callable[[], None] | None = None
        """Called after each commit that left events in the outbox: it wakes the relay of this process."""
        self.auditor: Auditor | None = None
        """Writes what transactions audit; without one, nothing can be audited."""
        self._time_limit = time_limit
        self._pool = Pool(url, size=pool_size, timeout=pool_timeout)

    def transaction(
        self, scope: Scope, *, time_limit: float | None = None, first: Statements | None = None
    ) -> AbstractAsyncContextManager[Transaction]:
        """Opens a transaction that commits once at the end, and rolls back on any exception or cancellation.

        `first` sends the first statements in the round trip that opens it; their cursors may be read inside.
        It is called again if a pooled connection turns out to be dead. Raises Aborted after a conflict with
        another transaction, and what the class says.
        """
        return self._open(Transaction, _BEGIN, scope, time_limit or self._time_limit, first)

    def snapshot(
        self, scope: Scope, *, time_limit: float | None = None
    ) -> AbstractAsyncContextManager[Snapshot]:
        """Opens a read-only transaction on one consistent state of the database."""
        return self._open(Snapshot, _BEGIN_SNAPSHOT, scope, time_limit or self._time_limit)

    async def read(self, scope: Scope, statement: str, values: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """Answers the rows of one statement, in one round trip: for the few questions asked all the time.

        It is planned once a connection, for whatever values: it must find its rows by index, however many
        there are. Raises what the class says.
        """
        limit = self._time_limit
        settings = f"{_settings(scope, limit)}{_PLAN_ONCE}"

        async def at_once(driver: Driver) -> list[tuple[Any, ...]]:
            async with driver.pipeline():
                await driver.execute(_BEGIN_READ)
                await driver.execute(settings.encode(), prepare=False)
                cursor = await driver.execute(statement.encode(), values, prepare=True)
                await driver.execute("COMMIT")
            return await cursor.fetchall()

        with translated():
            pooled, silence, rows = await self._first(at_once, limit + _GRACE_SECONDS)
            silence.cancel()
            await self._pool.give_back(pooled)
        return rows

    async def close(self) -> None:
        """Closes the connections at rest; those at work close when they come back."""
        await self._pool.close()

    @property
    def in_use(self) -> int:
        """How many transactions are open now."""
        return self._pool.in_use

    @asynccontextmanager
    async def _open(
        self, kind: type[T], begin: str, scope: Scope, limit: float, first: Statements | None = None
    ) -> AsyncIterator[T]:
        with translated():
            settings = _settings(scope, limit)

            async def opened(driver: Driver) -> None:
                if first is None:
                    await driver.execute(f"{begin};{settings}".encode(), prepare=False)
                    return
                async with driver.pipeline():
                    await driver.execute(begin.encode())
                    await driver.execute(settings.encode(), prepare=False)
                    await first(driver)

            pooled, silence, _ = await self._first(opened, limit + _GRACE_SECONDS)
            transaction = kind(pooled.connection, pooled.driver, scope, self.clock)
            if isinstance(transaction, Transaction):
                transaction.auditor = self.auditor
            try:
                yield transaction
                await transaction._finish()
                if self.on_events is not None and isinstance(transaction, Transaction) and transaction.tells:
                    self.on_events()
            except BaseException:
                await pooled.roll_back()
                raise
            finally:
                try:
                    await transaction._close()
                finally:
                    silence.cancel()
                    await self._pool.give_back(pooled)

    async def _first(
        self, work: Callable[[Driver], Awaitable[R]], patience: float
    ) -> tuple[Pooled, asyncio.TimerHandle, R]:
        """Takes a connection and begins. A pooled one may have died at rest: then the next one is tried.

        This spares the round trip of a ping; nothing has been changed yet, so trying again is safe.
        """
        while True:
            started = time.monotonic()
            pooled = await self._pool.take()
            silence = asyncio.get_running_loop().call_later(patience, pooled.cut)
            try:
                return pooled, silence, await work(pooled.driver)
            except BaseException as error:
                silence.cancel()
                await pooled.roll_back()
                await self._pool.give_back(pooled)
                if pooled.opened >= started or not isinstance(translate(error), DatabaseUnavailable):
                    raise
                self._pool.distrust(started)


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
