"""A small pool of connections that costs a transaction next to nothing.

SQLAlchemy's own pool takes a fifth of a short transaction's time for its greenlets. Here its connections
stay checked out and change hands in a queue of slots, each with an open connection or with none yet.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import suppress
from typing import Any, cast

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, NullPool
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from chassis.database.failures import PoolExhausted
from chassis.database.roles import conninfo
from chassis.database.transactions import Driver

_CONNECT: dict[str, Any] = {
    # We say BEGIN ourselves, together with the settings; psycopg would send one before, on its own.
    "autocommit": True,
    "connect_timeout": 4,
    # A peer that went away without a word is noticed within seconds (on Linux; unix sockets need none).
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 8000,
}


class Pooled:
    """An open connection, as SQLAlchemy and as psycopg see it. `opened` is on time.monotonic()."""

    def __init__(self, connection: AsyncConnection) -> None:
        self.connection = connection
        self.driver = cast(
            "Driver", cast("Connection", connection.sync_connection).connection.driver_connection
        )
        self.opened = time.monotonic()

    @property
    def at_rest(self) -> bool:
        """Whether the connection is open and in no transaction."""
        return self.driver.pgconn.transaction_status == TransactionStatus.IDLE

    async def roll_back(self) -> None:
        """Rolls back if there is something to; a connection that cannot is not at rest afterwards."""
        if not self.at_rest and not self.driver.closed:
            with suppress(psycopg.Error):
                await self.driver.rollback()

    async def close(self) -> None:
        """Closes the connection whatever state it is in."""
        await self.connection.invalidate()
        await self.connection.close()

    def cut(self) -> None:
        """Shuts the socket down, so that whoever waits for the server fails at once."""
        with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(self.driver.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)


class Pool:
    """At most `size` connections; the one used last is used next. Connects when one is asked for."""

    def __init__(self, url: str, *, size: int, timeout: float) -> None:
        self._engine = create_async_engine(
            url,
            connect_args=_CONNECT,
            hide_parameters=True,
            pool_reset_on_return=None,
            poolclass=NullPool,
            use_native_hstore=False,
        )
        self._size = size
        self._timeout = timeout
        self._stale_before = 0.0
        self._closed = False
        self._slots: asyncio.LifoQueue[Pooled | None] = asyncio.LifoQueue()
        for _ in range(size):
            self._slots.put_nowait(None)

    @property
    def in_use(self) -> int:
        """How many connections are at work now."""
        return self._size - self._slots.qsize()

    async def take(self) -> Pooled:
        """Takes a connection, opened for this if need be. Raises PoolExhausted after the pool's timeout."""
        slot = await self._slot()
        try:
            if slot is not None and slot.opened < self._stale_before:
                await slot.close()
                slot = None
            return slot or Pooled(await self._engine.connect())
        except BaseException:
            self._slots.put_nowait(None)
            raise

    async def give_back(self, pooled: Pooled) -> None:
        """Puts the connection back if it is at rest, else closes it: no setting and no lock may leak."""
        keep = pooled.at_rest and not self._closed
        try:
            if not keep:
                await pooled.close()
        finally:
            self._slots.put_nowait(pooled if keep else None)

    async def connect(self) -> Driver:
        """Opens a connection that does not count, and that the caller closes."""
        return await psycopg.AsyncConnection.connect(conninfo(self._engine.url), **_CONNECT)

    def distrust(self, moment: float) -> None:
        """Has every connection opened before this moment (time.monotonic()) closed instead of used again."""
        self._stale_before = max(self._stale_before, moment)

    async def close(self) -> None:
        """Closes the connections at rest; those at work close when they come back."""
        self._closed = True
        resting = [self._slots.get_nowait() for _ in range(self._slots.qsize())]
        for slot in resting:
            self._slots.put_nowait(None)
            if slot is not None:
                await slot.close()

    async def _slot(self) -> Pooled | None:
        with suppress(asyncio.QueueEmpty):
            return self._slots.get_nowait()
        try:
            async with asyncio.timeout(self._timeout):
                return await self._slots.get()
        except TimeoutError as error:
            raise PoolExhausted("The service is busy; try again.", retry_after=1) from error
