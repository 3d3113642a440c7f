"""The queries on break-glass."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, tuple_, update

from chassis.database import Snapshot
from services.identity.models import (
    Account,
    BreakGlass,
)


class BreakGlasses:
    """The uses of break-glass on the scope's tenants; the platform's tenant sees those on every one."""

    def __init__(self, tx: Snapshot) -> None:
        self._session = tx.session

    async def knows_tenant(self, tenant_id: UUID) -> bool:
        """Says whether there is an account of the tenant."""
        query = select(Account.id).where(Account.tenant_id == tenant_id).limit(1)
        return await self._session.scalar(query) is not None

    async def open_of(self, tenant_id: UUID, member_id: UUID, now: datetime) -> BreakGlass | None:
        """Answers what the member has open on the tenant at this moment."""
        query = select(BreakGlass).where(
            BreakGlass.tenant_id == tenant_id,
            BreakGlass.member_id == member_id,
            BreakGlass.close_time.is_(None),
            BreakGlass.expire_time > now,
        )
        return await self._session.scalar(query.order_by(BreakGlass.expire_time.desc()).limit(1))

    async def get(self, break_glass_id: UUID) -> BreakGlass | None:
        """Answers one use."""
        return await self._session.scalar(select(BreakGlass).where(BreakGlass.id == break_glass_id))

    async def close(
        self, tenant_id: UUID, break_glass_id: UUID, closer: UUID, now: datetime
    ) -> BreakGlass | None:
        """Closes a use; None if it was closed or has expired."""
        closed = (
            update(BreakGlass)
            .where(
                BreakGlass.tenant_id == tenant_id,
                BreakGlass.id == break_glass_id,
                BreakGlass.close_time.is_(None),
                BreakGlass.expire_time > now,
            )
            .values(close_time=now, closer_member_id=closer)
            .returning(BreakGlass)
            .execution_options(populate_existing=True)
        )
        return await self._session.scalar(closed)

    async def newest(
        self, tenant_id: UUID | None, before: tuple[datetime, UUID] | None, most: int
    ) -> Sequence[BreakGlass]:
        """Answers the uses, the newest first, if wanted those on one tenant alone."""
        key = (BreakGlass.create_time, BreakGlass.id)
        query = select(BreakGlass)
        if tenant_id is not None:
            query = query.where(BreakGlass.tenant_id == tenant_id)
        if before is not None:
            query = query.where(tuple_(*key) < before)
        order = (column.desc() for column in key)
        return (await self._session.scalars(query.order_by(*order).limit(most))).all()
