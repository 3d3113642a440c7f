"""The queries on letters that identity has not taken yet."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, select

from chassis.database import Snapshot
from services.billing.models import Letter


class Letters:
    """The letters of a tenant."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def waiting(self, size: int) -> Sequence[Letter]:
        """Answers letters, the oldest first."""
        wanted = select(Letter).where(Letter.tenant_id == self._tenant_id)
        return (await self._session.scalars(wanted.order_by(Letter.create_time).limit(size))).all()

    async def remove(self, letter_id: UUID) -> None:
        """Takes the letter away; one that is gone stays gone."""
        gone = delete(Letter).where(Letter.tenant_id == self._tenant_id, Letter.id == letter_id)
        await self._session.execute(gone)


async def tenants_writing(tx: Snapshot) -> Sequence[UUID]:
    """Answers the tenants whose letters wait. For the worker role, which sees no more of them."""
    return (await tx.session.scalars(select(Letter.tenant_id).distinct())).all()
