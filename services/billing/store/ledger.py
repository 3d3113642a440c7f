"""The queries on the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from chassis.database import Snapshot
from services.billing import models
from services.billing.price_source import CURRENCY


class LedgerEntries:
    """A tenant's ledger."""

    def __init__(self, snapshot: Snapshot, tenant_id: UUID) -> None:
        self._snapshot = snapshot
        self._tenant_id = tenant_id

    async def page(self, after: int, size: int) -> Sequence[models.LedgerEntry]:
        """Answers the entries after this sequence, in their order."""
        entry = models.LedgerEntry
        query = select(entry).where(entry.tenant_id == self._tenant_id, entry.sequence > after)
        return (await self._snapshot.session.scalars(query.order_by(entry.sequence).limit(size))).all()

    async def currency(self) -> str:
        """Answers the currency of the tenant, which its first entry fixes."""
        query = select(models.Ledger.currency).where(models.Ledger.tenant_id == self._tenant_id)
        return await self._snapshot.session.scalar(query) or CURRENCY
