"""What a kind of long work is, and what it is given to work with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from chassis.clock import Clock
from chassis.database import Database, Scope, Transaction
from chassis.operations.store import Held, Row


class Wait(Exception):
    """Raised by work that cannot go on now, as while a peer is down: it is tried again after `seconds`."""

    def __init__(self, message: str, seconds: float = 5) -> None:
        super().__init__(message)
        self.message = message
        self.seconds = seconds


class Cancelled(Exception):
    """Raised by `advance` when cancelling was asked for. Work lets it pass, or undoes and lets it pass."""


class LeaseLost(Exception):
    """Another replica has taken the work over: nothing of this transaction may count."""


Run = Callable[["Work"], Awaitable[Mapping[str, str]]]
"""Does the work from its step on, and answers its result: ids and numbers by name."""


@dataclass(frozen=True)
class Kind:
    """A kind of long work. Its `run` may be killed anywhere, and begins again at the last step kept.

    What `run` raises: Wait to be called again later; a DomainError to fail with it; an outage of a peer or
    of the database, or transactions in each other's way, are waited out; anything else is tried again, up to
    `most_failures` times in a row.
    """

    name: str
    run: Run
    cancellable: bool = True
    """Whether it may be cancelled once it has begun; before, it always may."""
    most_failures: int = 5


class Work:
    """One operation in progress, under the lease of this process."""

    def __init__(self, db: Database, clock: Clock, held: Held, row: Row, request: bytes) -> None:
        self.db = db
        """The database, by the app role."""
        self._held = held
        self.clock = clock
        self.id = row.id
        self.tenant_id = row.tenant_id
        self.member_id: UUID | None = row.member_id
        """Who asked for it."""
        self.request = request
        """What was given to `begin`."""
        self.step = row.step
        """The last step kept; empty at the beginning."""
        self.done = row.done
        self.total = row.total

    async def save(
        self, step: str, *, done: int | None = None, total: int | None = None, message: str = ""
    ) -> None:
        """Keeps a step in a transaction of its own; raises Cancelled or LeaseLost."""
        async with self.db.transaction(Scope.of(self.tenant_id)) as tx:
            await self.advance(tx, step, done=done, total=total, message=message)

    async def advance(
        self,
        tx: Transaction,
        step: str,
        *,
        done: int | None = None,
        total: int | None = None,
        message: str = "",
    ) -> None:
        """Keeps a step together with its effect: the last statement of the effect's own transaction.

        Of an effect that was kept with its step nothing is done twice. `step` and `message` are plain text:
        ids and sentences, no personal data. Raises Cancelled or LeaseLost, which roll the effect back.
        """
        self.done = self.done if done is None else done
        self.total = self.total if total is None else total
        await tx.widen(self.tenant_id)
        kept = await self._held.advance(tx, step, self.done, self.total, message)
        if kept is None:
            raise LeaseLost
        if kept[0] is not None:
            raise Cancelled
        self.step = step
