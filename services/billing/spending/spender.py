"""The queue of spendings: those of one tenant that come at the same time are decided in one transaction."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from uuid import UUID

from prometheus_client import Counter, Histogram

from chassis.database import Database
from chassis.errors import Aborted
from chassis.gathering import Gathering
from services.billing.errors import SpendingBusy
from services.billing.spending.authorizing import authorize
from services.billing.spending.deciding import Outcome, Wanted

BATCH = 64
MOST_WAITING = 2000
_ATTEMPTS = 4

_batches = Histogram(
    "wrtn_billing_spend_batch", "Spendings decided in one transaction.", buckets=(1, 2, 4, 8, 16, 32, 64)
)
_decided = Counter("wrtn_billing_spends_total", "Spendings decided, by what came of them.", ("outcome",))


class _Waiting:
    """A request in the queue, and who waits for it."""

    __slots__ = ("answer", "wanted")

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()


class _Queue:
    """The requests of one tenant that wait."""

    __slots__ = ("gathering", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[_Waiting] = deque()
        self.gathering = Gathering(BATCH)

    def add(self, waiting: _Waiting) -> None:
        """Appends a request."""
        self.waiting.append(waiting)
        self.gathering.joined(len(self.waiting))

    def take(self) -> list[_Waiting]:
        """Takes as many as are decided at once."""
        return [self.waiting.popleft() for _ in range(min(BATCH, len(self.waiting)))]


class Spender:
    """Authorizes spendings in batches: while one is on its way to the disk the next one gathers."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._queues: dict[UUID, _Queue] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = 0

    async def start(self) -> None:
        """Nothing runs before the first request."""

    async def stop(self) -> None:
        """Decides what waits."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def authorize(self, tenant_id: UUID, wanted: Wanted) -> Outcome:
        """Answers the reservation once it is durable, or the refusal; raises SpendingBusy."""
        if self._count >= MOST_WAITING:
            raise SpendingBusy("Too many spendings wait to be authorized.", retry_after=1)
        waiting = _Waiting(wanted)
        queue = self._queues.get(tenant_id)
        if queue is None:
            queue = self._queues[tenant_id] = _Queue()
            task = asyncio.create_task(self._run(tenant_id, queue), name="spender")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        queue.add(waiting)
        self._count += 1
        return await waiting.answer

    async def _run(self, tenant_id: UUID, queue: _Queue) -> None:
        """Decides what comes, then ends: a tenant at rest has no queue."""
        # One turn of the loop, so that what arrived together is decided together.
        await asyncio.sleep(0)
        while taken := queue.take():
            self._count -= len(taken)
            # Who has gone, by a deadline or a broken call, needs no reservation.
            batch = [each for each in taken if not each.answer.done()]
            if batch:
                await self._decide(tenant_id, batch)
            queue.gathering.ended(len(batch), len(queue.waiting))
            await queue.gathering.complete(len(queue.waiting))
        del self._queues[tenant_id]

    async def _decide(self, tenant_id: UUID, batch: Sequence[_Waiting]) -> None:
        _batches.observe(len(batch))
        try:
            outcomes = await self._authorized(tenant_id, [each.wanted for each in batch])
        except Exception as error:  # noqa: BLE001 - whoever waits is answered, whatever it is
            for each in batch:
                if not each.answer.done():
                    each.answer.set_exception(error)
            return
        for each, outcome in zip(batch, outcomes, strict=True):
            _decided.labels("refused" if isinstance(outcome, Exception) else "authorized").inc()
            if not each.answer.done():
                each.answer.set_result(outcome)

    async def _authorized(self, tenant_id: UUID, wanted: Sequence[Wanted]) -> list[Outcome]:
        for _ in range(1, _ATTEMPTS):
            try:
                return await authorize(self._db, tenant_id, wanted)
            except Aborted:
                continue
        return await authorize(self._db, tenant_id, wanted)
