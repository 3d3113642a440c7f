"""What a use case holds while it works with the database: a Snapshot to read, a Transaction to change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import psycopg
from google.protobuf.message import Message
from psycopg.pq import TransactionStatus
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from chassis.audit.acts import Act, Detail, Unaudited, act_of
from chassis.call import audited, current_or_none
from chassis.clock import Clock
from chassis.events import outbox
from chassis.scope import Scope

Driver = psycopg.AsyncConnection[tuple[Any, ...]]


class SwallowedFailure(Exception):
    """A statement failed, the use case went on all the same, and PostgreSQL can only roll back."""


class Auditor(Protocol):
    """Writes audit entries; chassis.audit.recording is the one, given to the Database at start."""

    async def record(self, tx: Transaction, acts: Sequence[Act]) -> None:
        """Writes the acts at the end of their transaction."""


class Snapshot:
    """Reads of one consistent state (REPEATABLE READ, READ ONLY). Writing through it fails."""

    def __init__(self, connection: AsyncConnection, driver: Driver, scope: Scope, clock: Clock) -> None:
        self.scope = scope
        self.clock = clock
        self.now: datetime = clock.now()
        """The server's time of this transaction; the same for everything in it."""
        self._connection = connection
        self._driver = driver
        self._session: AsyncSession | None = None

    @property
    def session(self) -> AsyncSession:
        """SQLAlchemy's session of this transaction, made at first use. Nobody commits it: the edge does."""
        if self._session is None:
            self._session = AsyncSession(self._connection, expire_on_commit=False)
        return self._session

    async def driver(self) -> Driver:
        """Answers psycopg's connection, inside this transaction: pipeline(), executemany, COPY, hot paths.

        What the session holds back is flushed first, so that both see the same rows.
        """
        if self._session is not None:
            await self._session.flush()
        return self._driver

    async def _finish(self) -> None:
        await self._driver.commit()

    async def _close(self) -> None:
        if self._session is not None:
            await self._session.close()


class Transaction(Snapshot):
    """Reads and changes that take effect together, with their events, or not at all (READ COMMITTED)."""

    def __init__(self, connection: AsyncConnection, driver: Driver, scope: Scope, clock: Clock) -> None:
        super().__init__(connection, driver, scope, clock)
        self.auditor: Auditor | None = None
        """The database's; it writes what is audited."""
        self._acts: list[Act] = []
        self._published: list[outbox.Row] = []
        self._told = False
        self._after_commit: list[Callable[[], None]] = []

    async def widen(self, *tenants: UUID) -> None:
        """Admits more tenants for the rest of this transaction.

        For the chassis' last statements, and for consumers whose events are about nobody's tenant.
        """
        if self.scope.tenants.issuperset(tenants):
            return
        self.scope = Scope(self.scope.tenants | frozenset(tenants), self.scope.member_id)
        wanted = ",".join(tenant.hex for tenant in self.scope.tenants)
        await (await self.driver()).execute("SELECT set_config('wrtn.tenants', %s, true)", (f"{{{wanted}}}",))

    def publish(
        self, event: Message, *, aggregate_id: UUID, version: int = 1, tenant_id: UUID | None = None
    ) -> UUID:
        """Adds the event to the outbox at the end of this transaction; answers the event's id.

        `version` is the aggregate's after the change. The tenant is that of the scope if it has just
        one. Raises TypeError for a message that is no event.
        """
        if tenant_id is None and len(self.scope.tenants) == 1:
            (tenant_id,) = self.scope.tenants
        row = outbox.row_of(
            event,
            event_id=self.clock.new_id(),
            aggregate_id=aggregate_id,
            version=version,
            tenant_id=tenant_id,
        )
        self._published.append(row)
        return row.id

    def told(self) -> None:
        """Says that a statement of the use case's own put events into the outbox, past `publish`."""
        self._told = True

    @property
    def tells(self) -> bool:
        """Whether it leaves events in the outbox once it is committed."""
        return self._told or bool(self._published)

    def audit(
        self,
        action: str,
        *,
        tenant_id: UUID,
        target_id: UUID | None = None,
        reason: str = "",
        **details: Detail,
    ) -> UUID:
        """Adds an audit entry at the end of this transaction; answers its id.

        `action` is past tense, "credential.revoked". The tenant is the enterprise or personal account whose
        matter it is, a member's id for what concerns a member alone (password, logins, addresses), or
        `acts.PLATFORM`; it need not be in the scope. Who acts, and in which call, is read from
        `call.current()`; outside of a call it is the system. Ids, numbers and enums in `details` stay in
        plain text; the reason and other texts are encrypted under the tenant's key.
        """
        if self.auditor is None:
            raise LookupError("this database has no auditor: nothing could be recorded")
        act = act_of(
            self.clock.new_id(),
            self.now,
            action,
            tenant_id=tenant_id,
            target_id=target_id,
            reason=reason,
            details=details,
        )
        self._acts.append(act)
        return act.id

    def require_audit(self) -> None:
        """Raises Unaudited if the call owes the trail an entry, and this transaction has none for it."""
        call = current_or_none()
        if call is not None and call.trail.missing and not self._acts:
            raise Unaudited(call.method)

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Calls back once the transaction is committed, and never if it is not: for caches."""
        self._after_commit.append(callback)

    async def _finish(self) -> None:
        """Flushes, writes the outbox and commits. The outbox goes in one round trip with the commit."""
        driver = await self.driver()
        if driver.info.transaction_status == TransactionStatus.INERROR:
            # COMMIT would be answered with a quiet ROLLBACK.
            raise SwallowedFailure(
                "a failed statement was swallowed in this transaction; nothing was committed"
            )
        if self._acts and self.auditor is not None:
            await self.auditor.record(self, self._acts)
        if self._published:
            async with driver.pipeline():
                for row in self._published:
                    await driver.execute(outbox.INSERT, row)
                await driver.execute("COMMIT")
        else:
            await driver.commit()
        if self._acts:
            audited()
        for callback in self._after_commit:
            callback()
