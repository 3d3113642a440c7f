"""The queries on subscriptions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Snapshot
from services.billing.models import Posting, Subscription, SubscriptionPhase
from wrtn.billing.v1.subscriptions_pb2 import Subscription as Wire


class Subscriptions:
    """The subscriptions of a tenant."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def newest(self, *, lock: bool = False) -> Subscription | None:
        """Answers the subscription that stands, else the one that ended last."""
        query = select(Subscription).where(Subscription.tenant_id == self._tenant_id)
        # Ended ones have a time of their end, and the one that stands begins after them all.
        query = query.order_by(Subscription.start_time.desc(), Subscription.state).limit(1)
        if lock:
            query = query.with_for_update().execution_options(populate_existing=True)
        return await self._session.scalar(query)

    async def insert(self, row: Subscription) -> bool:
        """Adds a subscription; False while another one is not canceled."""
        values = {each.name: getattr(row, each.name) for each in Subscription.__table__.columns}
        added = insert(Subscription).values(values).on_conflict_do_nothing().returning(Subscription.id)
        return await self._session.scalar(added) is not None

    async def credited(self, reference: str) -> bool:
        """Whether something was posted under this reference."""
        posted = select(Posting).where(Posting.tenant_id == self._tenant_id, Posting.reference == reference)
        return bool(await self._session.scalar(select(posted.exists())))

    async def tried(self) -> bool:
        """Whether the tenant had a trial."""
        trial = select(Subscription).where(
            Subscription.tenant_id == self._tenant_id, Subscription.trial_end_time.is_not(None)
        )
        return bool(await self._session.scalar(select(trial.exists())))

    async def phases(self) -> Sequence[tuple[Subscription, SubscriptionPhase]]:
        """Answers all phases of all subscriptions in the order of time."""
        phase, row = SubscriptionPhase, Subscription
        query = (
            select(row, phase)
            .join(row, (row.tenant_id == phase.tenant_id) & (row.id == phase.subscription_id))
            .where(phase.tenant_id == self._tenant_id)
            .order_by(phase.start_time, row.start_time, phase.sequence)
        )
        return [(each[0], each[1]) for each in await self._session.execute(query)]

    async def page(self, subscription_id: UUID, before: int | None, size: int) -> Sequence[SubscriptionPhase]:
        """Answers phases of a subscription, the newest first."""
        phase = SubscriptionPhase
        query = select(phase).where(
            phase.tenant_id == self._tenant_id, phase.subscription_id == subscription_id
        )
        if before is not None:
            query = query.where(phase.sequence < before)
        return (await self._session.scalars(query.order_by(phase.sequence.desc()).limit(size))).all()


async def tenants_turning(tx: Snapshot, now: datetime) -> Sequence[UUID]:
    """Answers the tenants whose trial or subscription ends by now. For the worker role."""
    row = Subscription
    ended = (row.state != Wire.STATE_CANCELED) & (row.cancel_time <= now)
    tried = (row.state == Wire.STATE_TRIALING) & (row.trial_end_time <= now)
    return (await tx.session.scalars(select(row.tenant_id).where(or_(ended, tried)))).all()
