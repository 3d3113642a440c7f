"""The queries on saved cards, bound to one tenant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Snapshot
from services.billing.models import PaymentCustomer, PaymentMethod


class PaymentMethods:
    """The saved cards of a tenant, and how the provider knows it."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def customer_id(self) -> str | None:
        """Answers how the provider knows the tenant."""
        row = await self._session.get(PaymentCustomer, self._tenant_id)
        return row.customer_id if row is not None else None

    async def know(self, customer_id: str, now: datetime) -> None:
        """Notes how the provider knows the tenant; the first id stays."""
        row = {"tenant_id": self._tenant_id, "customer_id": customer_id, "create_time": now}
        await self._session.execute(insert(PaymentCustomer).values(row).on_conflict_do_nothing())

    async def known_as(self, provider_method_id: str) -> PaymentMethod | None:
        """Answers the card that the provider calls so."""
        query = select(PaymentMethod).where(
            PaymentMethod.tenant_id == self._tenant_id, PaymentMethod.provider_method_id == provider_method_id
        )
        return await self._session.scalar(query)

    async def get(self, method_id: UUID, *, deleted: bool = False) -> PaymentMethod | None:
        """Answers the card; also one that is deleted, if wanted."""
        row = await self._session.get(PaymentMethod, (self._tenant_id, method_id))
        return row if row is not None and (deleted or row.delete_time is None) else None

    async def default(self) -> PaymentMethod | None:
        """Answers the default card."""
        row = PaymentMethod
        return await self._session.scalar(
            select(row).where(row.tenant_id == self._tenant_id, row.is_default.is_(True))
        )

    async def lock(self) -> None:
        """Has whoever changes the default of this tenant take turns."""
        row = PaymentCustomer
        await self._session.execute(select(row).where(row.tenant_id == self._tenant_id).with_for_update())

    async def make_default(self, method_id: UUID) -> None:
        """Makes this card the default in place of another."""
        row = PaymentMethod
        mine = update(row).where(row.tenant_id == self._tenant_id)
        await self._session.execute(mine.where(row.is_default.is_(True)).values(is_default=False))
        await self._session.execute(mine.where(row.id == method_id).values(is_default=True))

    async def take_default_from(self, method_id: UUID) -> None:
        """Leaves no card the default, if this one was."""
        row = PaymentMethod
        mine = update(row).where(row.tenant_id == self._tenant_id, row.id == method_id)
        await self._session.execute(mine.values(is_default=False))

    async def page(self, before: UUID | None, size: int) -> Sequence[PaymentMethod]:
        """Answers cards, the newest first."""
        row = PaymentMethod
        query = select(row).where(row.tenant_id == self._tenant_id, row.delete_time.is_(None))
        if before is not None:
            query = query.where(row.id < before)
        return (await self._session.scalars(query.order_by(row.id.desc()).limit(size))).all()

    async def to_detach(self, size: int) -> Sequence[PaymentMethod]:
        """Answers deleted cards that the provider still knows."""
        row = PaymentMethod
        query = select(row).where(
            row.tenant_id == self._tenant_id, row.delete_time.is_not(None), row.detach_time.is_(None)
        )
        return (await self._session.scalars(query.limit(size))).all()

    async def detached(self, method_id: UUID, now: datetime) -> None:
        """Notes that the provider has forgotten a deleted card."""
        row = PaymentMethod
        mine = update(row).where(row.tenant_id == self._tenant_id, row.id == method_id)
        await self._session.execute(mine.values(detach_time=now))
