"""What is known of a tenant as a customer."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from chassis.database import Snapshot
from services.billing.models import KnownCurrency, KnownEnterprise, KnownTeam, Ledger
from services.billing.pricing.price_source import CURRENCY


class Customer:
    """A tenant: its currency, time zone and teams."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def currency(self) -> str:
        """Answers the currency in which its ledger is, or will be, kept."""
        for row in (Ledger, KnownCurrency):
            found = await self._session.scalar(select(row.currency).where(row.tenant_id == self._tenant_id))
            if found is not None:
                return found
        return CURRENCY

    async def time_zone(self) -> str:
        """Answers the time zone of its days; UTC for personal accounts."""
        row = await self._session.get(KnownEnterprise, self._tenant_id)
        return row.time_zone if row is not None else "UTC"

    async def parents(self) -> dict[UUID, UUID | None]:
        """Answers each team with the one above it."""
        query = select(KnownTeam.team_id, KnownTeam.parent_team_id)
        rows = await self._session.execute(query.where(KnownTeam.tenant_id == self._tenant_id))
        return {row.team_id: row.parent_team_id for row in rows}


async def enterprises(tx: Snapshot) -> Sequence[UUID]:
    """Answers all enterprises. For the worker role, which sees no more of them."""
    return (await tx.session.scalars(select(KnownEnterprise.tenant_id))).all()
