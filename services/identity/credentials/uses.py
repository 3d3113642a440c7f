"""When keys and credentials were last used: told as they are resolved, written aside once a minute."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime, timedelta

import structlog

from chassis.database import Database, Scope
from chassis.errors import DomainError
from services.identity.models import ApiKey, ServiceCredential
from services.identity.store import ApiKeys, Credentials

EVERY = timedelta(minutes=1)
"""How exact a last use is."""
_MOST = 10_000
"""How many may wait to be written; what is beyond is told again at its next use."""

_log = structlog.get_logger("identity.uses")


class LastUses:
    """Writes last uses in the background. A resolution never waits for it."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._due: dict[tuple[type, object], tuple[ApiKey | ServiceCredential, datetime]] = {}
        self._told = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to write."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Ends; what is not written yet is lost, and worth no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def tell(self, row: ApiKey | ServiceCredential, now: datetime) -> None:
        """Notes that the key or credential was used now, unless its row says nearly so."""
        late = row.last_use_time is None or now - row.last_use_time >= EVERY
        if late and len(self._due) < _MOST:
            self._due[type(row), row.id] = (row, now)
            self._told.set()

    async def _run(self) -> None:
        while True:
            await self._told.wait()
            self._told.clear()
            while self._due:
                _, (row, now) = self._due.popitem()
                try:
                    await self._write(row, now)
                except DomainError as error:
                    _log.warning("a last use could not be written", error=repr(error))

    async def _write(self, row: ApiKey | ServiceCredential, now: datetime) -> None:
        if isinstance(row, ApiKey):
            async with self._db.transaction(Scope.of(member_id=row.member_id)) as tx:
                await ApiKeys(tx).used(row.member_id, row.id, now, now - EVERY)
        else:
            async with self._db.transaction(Scope.of(row.tenant_id)) as tx:
                await Credentials(tx, row.tenant_id).used(row.id, now, now - EVERY)
