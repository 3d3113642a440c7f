"""What becomes of a delivery after an attempt: taken, tried again, failed; and of its endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from chassis.crypto import DataKey
from chassis.database import Database, Scope, Transaction
from services.enterprise import letters
from services.enterprise.models import (
    DeliveryState,
    DisableReason,
    EndpointState,
    WebhookAttempt,
    WebhookDelivery,
)
from services.enterprise.store import (
    Claimed,
    Deliveries,
    WebhookEndpoints,
    failing_since,
    succeeds,
    tenants_with_endpoints,
)
from services.enterprise.webhooks import webhooks

KEPT = timedelta(days=30)
"""For how long deliveries and events are kept."""
FAILING = timedelta(days=5)
"""After so long of nothing but failure an endpoint is disabled."""
# The schedule of standard-webhooks, three days in all.
DELAYS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
_GONE = 410
_EXCERPT = "wrtn_webhook_attempts.excerpt"


@dataclass(slots=True)
class Outcome:
    """What came of one attempt: a status, or the reason why none came."""

    status: int | None = None
    failure: str | None = None
    excerpt: bytes = b""
    milliseconds: int = 0

    @property
    def taken(self) -> bool:
        """Whether the endpoint has taken the event."""
        return self.status is not None and 200 <= self.status < 300


class Settling:
    """Writes down what came of attempts."""

    def __init__(self, db: Database, worker: Database) -> None:
        self._db = db
        self._worker = worker

    async def skip(self, claimed: Claimed) -> None:
        """Settles what a later version of its object has overtaken; it was not sent."""
        async with self._db.transaction(Scope.of(claimed.tenant_id)) as tx:
            row = await Deliveries(tx, claimed.tenant_id).get(claimed.id, lock=True)
            if row is not None and row.state == DeliveryState.PENDING:
                row.state, row.due_time, row.claim_time = DeliveryState.SKIPPED, None, None
                row.attempts -= 1

    async def settle(self, claimed: Claimed, outcome: Outcome, key: DataKey) -> None:
        """Records the attempt, and settles the delivery or says when it is tried again."""
        async with self._db.transaction(Scope.of(claimed.tenant_id)) as tx:
            row = await Deliveries(tx, claimed.tenant_id).get(claimed.id, lock=True)
            if row is None:
                return
            tx.session.add(_attempt(tx, claimed, outcome, key))
            row.last_status, row.claim_time = outcome.status, None
            if row.state != DeliveryState.PENDING:
                return
            if outcome.taken:
                row.state, row.due_time = DeliveryState.DELIVERED, None
                await succeeds(tx, claimed)
            else:
                await self._failed(tx, claimed, row, outcome)

    async def purge(self) -> None:
        """Deletes what is older than 30 days. A leased job's."""
        async with self._worker.snapshot(Scope()) as seen:
            tenants = await tenants_with_endpoints(seen)
        for tenant_id in tenants:
            async with self._db.transaction(Scope.of(tenant_id)) as tx:
                await Deliveries(tx, tenant_id).purge(tx.now - KEPT)

    async def _failed(
        self, tx: Transaction, claimed: Claimed, row: WebhookDelivery, outcome: Outcome
    ) -> None:
        delay = delay_after(row.attempts)
        if delay is None:
            row.state, row.due_time = DeliveryState.FAILED, None
        else:
            row.due_time = tx.now + delay
            await Deliveries(tx, claimed.tenant_id).hold_later(row, row.due_time)
        since = await failing_since(tx, claimed, tx.now)
        if outcome.status == _GONE:
            await self._disable(tx, claimed, DisableReason.GONE)
        elif since is not None and tx.now - since >= FAILING:
            await self._disable(tx, claimed, DisableReason.FAILING)

    async def _disable(self, tx: Transaction, claimed: Claimed, reason: DisableReason) -> None:
        """Disables the endpoint and writes to the owners, once."""
        await tx.session.flush()
        row = await WebhookEndpoints(tx, claimed.tenant_id).get(claimed.endpoint_id, lock=True)
        if row is None or row.state == EndpointState.DISABLED:
            return
        await webhooks.disable(tx, row, reason)
        await letters.write_to_owners(
            tx, claimed.tenant_id, "webhook_disabled", {"description": row.description or str(row.id)}
        )


def delay_after(attempts: int) -> timedelta | None:
    """Answers how long to wait after so many failed attempts; None after the tenth, which was the last."""
    return DELAYS[attempts - 1] if attempts <= len(DELAYS) else None


def opened_excerpt(key: DataKey, row: WebhookAttempt) -> str:
    """Decrypts the beginning of an answer."""
    if row.excerpt is None:
        return ""
    plain = key.decrypt(row.excerpt, _EXCERPT, row.tenant_id, row.delivery_id, str(row.number))
    return plain.decode(errors="replace")


def _attempt(tx: Transaction, claimed: Claimed, outcome: Outcome, key: DataKey) -> WebhookAttempt:
    place = (_EXCERPT, claimed.tenant_id, claimed.id, str(claimed.attempt))
    return WebhookAttempt(
        tenant_id=claimed.tenant_id,
        delivery_id=claimed.id,
        number=claimed.attempt,
        status=outcome.status,
        failure=outcome.failure,
        excerpt=key.encrypt(outcome.excerpt, *place) if outcome.excerpt else None,
        milliseconds=outcome.milliseconds,
        attempt_time=tx.now,
    )
