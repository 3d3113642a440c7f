"""The queries on webhook deliveries."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.database import Snapshot, Transaction
from services.enterprise.models import (
    DeliveryState,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from services.enterprise.store.rows import Rows

# Of each endpoint that nobody here is busy with, what is due and need not wait: no earlier version of the
# same object is pending, and nobody has another in hand. An endpoint that fails gets one try at a time.
_CLAIM = """
WITH chosen AS (
    SELECT due.tenant_id, due.id
    FROM wrtn_webhook_endpoints endpoint CROSS JOIN LATERAL (
        SELECT delivery.tenant_id, delivery.id
        FROM wrtn_webhook_deliveries delivery
        WHERE delivery.tenant_id = endpoint.tenant_id AND delivery.endpoint_id = endpoint.id
            AND delivery.due_time <= %(now)s
            AND NOT EXISTS (
                SELECT FROM wrtn_webhook_deliveries other
                WHERE other.tenant_id = delivery.tenant_id AND other.endpoint_id = delivery.endpoint_id
                    AND other.object_id = delivery.object_id AND other.id <> delivery.id
                    AND other.state = 'PENDING'
                    AND ((other.version, other.event_id, other.id)
                            < (delivery.version, delivery.event_id, delivery.id)
                        OR other.claim_time > %(now)s)
            )
        ORDER BY delivery.due_time
        LIMIT CASE WHEN endpoint.failing_time IS NULL THEN %(most)s ELSE 1 END
        FOR UPDATE SKIP LOCKED
    ) due
    WHERE endpoint.tenant_id = ANY (%(tenants)s) AND endpoint.state = 'ENABLED'
        AND endpoint.delete_time IS NULL AND endpoint.id <> ALL (%(busy)s)
)
UPDATE wrtn_webhook_deliveries delivery
SET claim_time = %(until)s, due_time = %(until)s, attempts = attempts + 1
FROM chosen WHERE delivery.tenant_id = chosen.tenant_id AND delivery.id = chosen.id
RETURNING delivery.tenant_id, delivery.id, delivery.endpoint_id, delivery.event_id, delivery.attempts,
    NOT delivery.replay AND EXISTS (
        SELECT FROM wrtn_webhook_deliveries later
        WHERE later.tenant_id = delivery.tenant_id AND later.endpoint_id = delivery.endpoint_id
            AND later.object_id = delivery.object_id AND later.version > delivery.version
            AND later.state = 'DELIVERED'
    )
"""


class Claimed(NamedTuple):
    """A delivery in the hand of this process."""

    tenant_id: UUID
    id: UUID
    endpoint_id: UUID
    event_id: UUID
    attempt: int
    """The number of this attempt, from 1."""
    overtaken: bool
    """Whether a later version of its object was delivered."""


class Deliveries(Rows):
    """The deliveries of the enterprise."""

    async def get(self, delivery_id: UUID, *, lock: bool = False) -> WebhookDelivery | None:
        """Answers the delivery; with `lock` no other transaction changes it until this one ends."""
        return await self._session.get(
            WebhookDelivery, (self._tenant_id, delivery_id), with_for_update=lock or None
        )

    async def page(
        self, endpoint_id: UUID, state: str | None, before: UUID | None, size: int
    ) -> Sequence[WebhookDelivery]:
        """Answers the deliveries with lesser ids, the newest first."""
        wanted = select(WebhookDelivery).where(
            WebhookDelivery.tenant_id == self._tenant_id, WebhookDelivery.endpoint_id == endpoint_id
        )
        if state is not None:
            wanted = wanted.where(WebhookDelivery.state == state)
        if before is not None:
            wanted = wanted.where(WebhookDelivery.id < before)
        return (await self._session.scalars(wanted.order_by(WebhookDelivery.id.desc()).limit(size))).all()

    async def attempts(self, delivery_id: UUID) -> Sequence[WebhookAttempt]:
        """Answers the attempts, the first first."""
        wanted = select(WebhookAttempt).where(
            WebhookAttempt.tenant_id == self._tenant_id, WebhookAttempt.delivery_id == delivery_id
        )
        return (await self._session.scalars(wanted.order_by(WebhookAttempt.number))).all()

    async def event(self, event_id: UUID) -> WebhookEvent | None:
        """Answers the event as it is sent."""
        return await self._session.get(WebhookEvent, (self._tenant_id, event_id))

    async def events(self, start: datetime, end: datetime, size: int) -> Sequence[WebhookEvent]:
        """Answers the events of the range, in the order in which they happened, without their bodies."""
        wanted = select(WebhookEvent).where(
            WebhookEvent.tenant_id == self._tenant_id,
            WebhookEvent.event_time >= start,
            WebhookEvent.event_time < end,
        )
        return (await self._session.scalars(wanted.order_by(WebhookEvent.event_time).limit(size))).all()

    async def park(self, endpoint_id: UUID) -> None:
        """Keeps what is pending for the endpoint from being due."""
        await self._session.execute(
            update(WebhookDelivery).where(*self._pending(endpoint_id)).values(due_time=None)
        )

    async def unpark(self, endpoint_id: UUID, now: datetime) -> None:
        """Makes what is pending for the endpoint due."""
        await self._session.execute(
            update(WebhookDelivery).where(*self._pending(endpoint_id)).values(due_time=now)
        )

    async def hold_later(self, row: WebhookDelivery, until: datetime) -> None:
        """Spares the later versions of the delivery's object the look whether it is taken yet."""
        later = (
            *self._pending(row.endpoint_id),
            WebhookDelivery.object_id == row.object_id,
            WebhookDelivery.version > row.version,
            WebhookDelivery.due_time < until,
        )
        await self._session.execute(update(WebhookDelivery).where(*later).values(due_time=until))

    async def purge(self, before: datetime) -> None:
        """Deletes deliveries with their attempts, and events, that are older."""
        old = (WebhookDelivery.tenant_id == self._tenant_id, WebhookDelivery.create_time < before)
        await self._session.execute(delete(WebhookDelivery).where(*old))
        unused = (
            ~select(WebhookDelivery)
            .where(
                WebhookDelivery.tenant_id == WebhookEvent.tenant_id,
                WebhookDelivery.event_id == WebhookEvent.id,
            )
            .exists()
        )
        await self._session.execute(
            delete(WebhookEvent).where(
                WebhookEvent.tenant_id == self._tenant_id, WebhookEvent.create_time < before, unused
            )
        )

    def _pending(self, endpoint_id: UUID) -> tuple:  # type: ignore[type-arg]
        return (
            WebhookDelivery.tenant_id == self._tenant_id,
            WebhookDelivery.endpoint_id == endpoint_id,
            WebhookDelivery.state == DeliveryState.PENDING,
        )


async def claim_deliveries(
    tx: Transaction, busy: Collection[UUID], most: int, keep: timedelta
) -> list[Claimed]:
    """Claims what is due in the scope's tenants, `most` an endpoint, of none of the busy endpoints."""
    values = {
        "now": tx.now,
        "until": tx.now + keep,
        "most": most,
        "tenants": list(tx.scope.tenants),
        "busy": list(busy),
    }
    rows = await (await (await tx.driver()).execute(_CLAIM, values)).fetchall()
    return [Claimed(*row) for row in rows]


async def add_events(tx: Snapshot, rows: Sequence[WebhookEvent]) -> None:
    """Adds events; those that are there stay as they are."""
    if rows:
        values = [_values(row) for row in rows]
        await tx.session.execute(upsert(WebhookEvent).on_conflict_do_nothing(), values)


async def add_deliveries(tx: Snapshot, rows: Sequence[WebhookDelivery]) -> None:
    """Adds deliveries, whose events must be there."""
    if rows:
        await tx.session.execute(insert(WebhookDelivery), [_values(row) for row in rows])


async def failing_since(tx: Snapshot, claimed: Claimed, now: datetime) -> datetime | None:
    """Notes that the endpoint fails; answers since when it has, None if it is deleted."""
    wanted = (
        WebhookEndpoint.tenant_id == claimed.tenant_id,
        WebhookEndpoint.id == claimed.endpoint_id,
        WebhookEndpoint.delete_time.is_(None),
    )
    first = update(WebhookEndpoint).where(*wanted, WebhookEndpoint.failing_time.is_(None))
    await tx.session.execute(first.values(failing_time=now))
    return await tx.session.scalar(select(WebhookEndpoint.failing_time).where(*wanted))


async def succeeds(tx: Snapshot, claimed: Claimed) -> None:
    """Notes that the endpoint does not fail. Touches its row only if that is news."""
    await tx.session.execute(
        update(WebhookEndpoint)
        .where(
            WebhookEndpoint.tenant_id == claimed.tenant_id,
            WebhookEndpoint.id == claimed.endpoint_id,
            WebhookEndpoint.failing_time.is_not(None),
        )
        .values(failing_time=None)
    )


def _values(row: WebhookEvent | WebhookDelivery) -> dict[str, object]:
    return {each.name: getattr(row, each.name) for each in row.__table__.columns}
