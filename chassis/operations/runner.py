"""Beginning long work, and doing it: under a lease, so that another replica goes on when this one dies."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import grpc
import structlog
from google.rpc.status_pb2 import Status

from chassis import telemetry
from chassis.crypto import KeyDestroyed, Keyring
from chassis.database import Database, Scope, Transaction
from chassis.database.failures import TransactionConflict
from chassis.errors import DomainError, Unavailable, status, to_status
from chassis.operations import store
from chassis.operations.beginning import REQUEST, begin
from chassis.operations.store import Held, Row
from chassis.operations.work import Cancelled, Kind, LeaseLost, Wait, Work
from chassis.rest import rest
from chassis.runtime import Runtime

LEASE = timedelta(seconds=30)
"""How long work rests after its process was killed; it is renewed three times as often."""

_EVERY = 2.0
_MOST = 4
_LONGEST_DELAY = 300
_PATIENCE = 5
_OUTAGES = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)

_log = structlog.get_logger("chassis.operations")


class Operations:
    """The long work of one service: one of its `background`, and what its use cases begin work with."""

    def __init__(self, runtime: Runtime[Any], kinds: Sequence[Kind], *, lease: timedelta = LEASE) -> None:
        self.db: Database = runtime.db
        self.kinds: Mapping[str, Kind] = {kind.name: kind for kind in kinds}
        self._keyring: Keyring = runtime.keyring
        self._worker = runtime.worker
        self._clock = runtime.clock
        self._lease = lease
        self._holder = f"{runtime.service}/{runtime.clock.secret(9)}"
        self._awake = asyncio.Event()
        self._tasks: dict[UUID, asyncio.Task[None]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def begin(
        self,
        tx: Transaction,
        kind: str,
        *,
        tenant_id: UUID,
        member_id: UUID | None = None,
        request: bytes = b"",
        key: str | None = None,
        start_time: datetime | None = None,
        total: int = 0,
    ) -> Row:
        """Adds an operation in this transaction, whose scope holds the tenant; it begins after the commit.

        `member_id` may see it; so may the managers of the enterprise `tenant_id`. The request is encrypted
        under the tenant's key until the work ends. Of the operations with one `key` a single one is live:
        asking again answers that one. Convert the row with `chassis.operations.convert.operation`.
        """
        if kind not in self.kinds:
            raise LookupError(f"no operation of the kind {kind} is declared")
        found = await begin(
            tx,
            self._keyring,
            kind,
            tenant_id=tenant_id,
            member_id=member_id,
            request=request,
            key=key,
            start_time=start_time,
            total=total,
        )
        tx.after_commit(self._awake.set)
        return found

    async def start(self) -> None:
        """Starts looking for work that is due."""
        self._looking = asyncio.create_task(self._look(), name="operations")

    async def stop(self) -> None:
        """Stops the work at hand, and gives it to the other replicas."""
        tasks = [task for task in (self._looking, *self._tasks.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self) -> None:
        while True:
            self._awake.clear()
            try:
                await self._take()
            except DomainError as error:
                _log.warning("operations cannot be looked for", reason=error.reason)
            await rest(self._awake, _EVERY)

    async def _take(self) -> None:
        if (room := _MOST - len(self._tasks)) <= 0:
            return
        values = {"kinds": list(self.kinds), "most": room, "now": self._clock.now()}
        async with self._worker.transaction(Scope()) as tx:
            cursor = await (await tx.driver()).execute(store.CLAIM, self._leased | values)
            claimed = await cursor.fetchall()
        for tenant_id, operation_id in claimed:
            held = Held(tenant_id, operation_id, self._holder)
            task = asyncio.create_task(self._work(held), name=f"operation-{operation_id}")
            self._tasks[operation_id] = task
            task.add_done_callback(lambda _, done=operation_id: self._ended(done))  # type: ignore[misc]

    def _ended(self, operation_id: UUID) -> None:
        del self._tasks[operation_id]
        self._awake.set()

    async def _work(self, held: Held) -> None:
        """Does the work while the lease is renewed; whatever happens, the lease is given back."""
        with telemetry.span("operation"):
            work = asyncio.ensure_future(self._attempt(held))
            try:
                while not work.done():
                    await asyncio.wait({work}, timeout=self._lease.total_seconds() / 3)
                    if not work.done() and not await self._renewed(held):
                        break
            finally:
                work.cancel()
                with contextlib.suppress(asyncio.CancelledError, LeaseLost, DomainError):
                    await work
                with contextlib.suppress(DomainError):
                    await self._by_worker(store.RELEASE, held)

    async def _renewed(self, held: Held) -> bool:
        try:
            return await self._by_worker(store.EXTEND, held)
        except DomainError:
            # The next step fails if the lease runs out meanwhile.
            return True

    async def _attempt(self, held: Held) -> None:
        scope = Scope.of(held.tenant_id)
        async with self.db.transaction(scope) as tx:
            row = await held.begin(tx)
            request = await self._opened(tx, row) if row is not None else b""
        if row is None:
            return
        kind = self.kinds[row.kind]
        if row.cancel_time is not None and kind.cancellable:
            await self._end(held, "CANCELLED")
            return
        try:
            result = await kind.run(Work(self.db, self._clock, held, row, request))
        except Cancelled:
            await self._end(held, "CANCELLED")
        except Wait as wait:
            await self._again(held, wait.seconds, wait.message, failed=False)
        except LeaseLost:
            _log.warning("an operation was taken over", operation=str(held.id), kind=row.kind)
        except Exception as error:  # noqa: BLE001 - as the interceptor: it ends as the operation's error
            await self._failed(held, row, kind, error)
        else:
            await self._end(held, "SUCCEEDED", result=dict(result))

    async def _failed(self, held: Held, row: Row, kind: Kind, error: Exception) -> None:
        if _outage(error):
            await self._again(held, _PATIENCE, "Waits for a service, or for another change.", failed=False)
        elif isinstance(error, DomainError):
            await self._end(held, "FAILED", error=to_status(error))
        else:
            _log.error("an operation failed", operation=str(held.id), kind=row.kind, exc_info=error)
            await self._defect(held, row, kind)

    async def _defect(self, held: Held, row: Row, kind: Kind) -> None:
        if row.failures + 1 < kind.most_failures:
            delay = min(_LONGEST_DELAY, 2**row.failures)
            await self._again(held, delay, "Failed, and is tried again.", failed=True)
            return
        message = f"An internal error occurred; it is logged as {held.id}."
        await self._end(held, "FAILED", error=status(grpc.StatusCode.INTERNAL, message, "INTERNAL"))

    async def _end(
        self, held: Held, state: str, *, error: Status | None = None, result: dict[str, str] | None = None
    ) -> None:
        async with self.db.transaction(Scope.of(held.tenant_id)) as tx:
            await held.end(tx, state, error.SerializeToString() if error else None, result or {})

    async def _again(self, held: Held, seconds: float, message: str, *, failed: bool) -> None:
        async with self.db.transaction(Scope.of(held.tenant_id)) as tx:
            await held.again(tx, tx.now + timedelta(seconds=seconds), message, failed=failed)

    async def _by_worker(self, statement: str, held: Held) -> bool:
        async with self._worker.transaction(Scope()) as tx:
            cursor = await (await tx.driver()).execute(statement.encode(), self._leased | held.values)
            return cursor.rowcount == 1

    @property
    def _leased(self) -> dict[str, Any]:
        return {"holder": self._holder, "lease": self._lease}

    async def _opened(self, tx: Transaction, row: Row) -> bytes:
        """Decrypts the request; of an erased owner there is none any more."""
        if not row.request:
            return b""
        try:
            return (await self._keyring.key(tx, row.tenant_id)).decrypt(row.request, REQUEST, row.id)
        except KeyDestroyed:
            return b""


def _outage(error: Exception) -> bool:
    return isinstance(error, Unavailable | TransactionConflict) or (
        isinstance(error, grpc.aio.AioRpcError) and error.code() in _OUTAGES
    )
