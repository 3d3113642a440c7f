"""The queries on domains."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Snapshot
from services.enterprise.models import Domain, ProvenDomain
from services.enterprise.store.rows import Rows


class Domains(Rows):
    """The domains of the enterprise."""

    async def get(self, domain_id: UUID, *, lock: bool = False) -> Domain | None:
        """Answers the domain; with `lock` no other transaction changes it until this one ends."""
        return await self._session.get(Domain, (self._tenant_id, domain_id), with_for_update=lock or None)

    async def page(self, after: UUID | None, size: int) -> Sequence[Domain]:
        """Answers the domains with greater ids."""
        wanted = select(Domain).where(Domain.tenant_id == self._tenant_id)
        if after is not None:
            wanted = wanted.where(Domain.id > after)
        return (await self._session.scalars(wanted.order_by(Domain.id).limit(size))).all()

    async def count(self) -> int:
        """Answers how many there are."""
        wanted = select(func.count()).select_from(Domain).where(Domain.tenant_id == self._tenant_id)
        return await self._session.scalar(wanted) or 0

    async def add(self, row: Domain) -> bool:
        """Adds the domain; answers False if the enterprise has it already."""
        values = {each.name: getattr(row, each.name) for each in Domain.__table__.columns}
        added = insert(Domain).values(values).on_conflict_do_nothing(index_elements=["tenant_id", "domain"])
        return await self._session.scalar(added.returning(Domain.id)) is not None

    async def remove(self, domain_id: UUID) -> None:
        """Removes the domain, which must not be in the directory any more."""
        await self._session.execute(
            delete(Domain).where(Domain.tenant_id == self._tenant_id, Domain.id == domain_id)
        )


class ProvenDomains:
    """The directory of proven domains. It belongs to no tenant."""

    def __init__(self, tx: Snapshot) -> None:
        self._session = tx.session

    async def holder(self, domain: str) -> ProvenDomain | None:
        """Answers whose the domain is."""
        return await self._session.get(ProvenDomain, domain)

    async def enter(self, row: ProvenDomain) -> bool:
        """Enters the domain; answers False if it is somebody's, or about to be."""
        values = {each.name: getattr(row, each.name) for each in ProvenDomain.__table__.columns}
        entered = insert(ProvenDomain).values(values).on_conflict_do_nothing(index_elements=["domain"])
        return await self._session.scalar(entered.returning(ProvenDomain.domain)) is not None

    async def locked(self, domain: str) -> ProvenDomain | None:
        """Answers the entry as it is now, and keeps others from changing it."""
        wanted = select(ProvenDomain).where(ProvenDomain.domain == domain).with_for_update()
        return await self._session.scalar(wanted, execution_options={"populate_existing": True})

    async def release(self, domain: str, tenant_id: UUID) -> bool:
        """Takes the tenant's entry out; answers whether there was one."""
        gone = delete(ProvenDomain).where(ProvenDomain.domain == domain, ProvenDomain.tenant_id == tenant_id)
        return await self._session.scalar(gone.returning(ProvenDomain.domain)) is not None

    async def due(self, now: datetime, size: int) -> Sequence[ProvenDomain]:
        """Answers the entries to be looked at again, those that have waited longest first."""
        wanted = select(ProvenDomain).where(ProvenDomain.next_check_time <= now)
        return (await self._session.scalars(wanted.order_by(ProvenDomain.next_check_time).limit(size))).all()
