"""The queries on rated usages, but for the sums of costs (`sums.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select

from chassis.database import Snapshot, Transaction, arrays
from services.billing import models
from services.billing.usage.posting import LEDGER_IDS, LOCK, OPEN, POST
from services.billing.usage.usages import RatedUsage


class Postings:
    """Rated usages taking effect."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def post(self, usages: Sequence[RatedUsage]) -> set[tuple[UUID, UUID]]:
        """Writes the usages, their sums and the ledger; answers the keys of those that were not there yet."""
        new_id = self._tx.clock.new_id
        currencies = {usage.tenant_id: usage.charge_currency for usage in usages}
        tenants = sorted(currencies)
        ids = [(tenant, *(new_id() for _ in LEDGER_IDS[1:])) for tenant in tenants]
        values = arrays.by_column(RatedUsage._fields, usages) | arrays.by_column(LEDGER_IDS, ids)
        ledgers = {"tenants": values["tenants"], "currencies": [currencies[each] for each in tenants]}
        driver = await self._tx.driver()
        async with driver.pipeline():
            await driver.execute(OPEN, ledgers)
            await driver.execute(LOCK, ledgers)
        cursor = await driver.execute(POST, values | {"now": self._tx.now})
        return {(tenant_id, history_id) for tenant_id, history_id in await cursor.fetchall()}


class Usages:
    """What is known of a tenant by what was used."""

    def __init__(self, snapshot: Snapshot, tenant_id: UUID) -> None:
        self._snapshot = snapshot
        self._tenant_id = tenant_id

    async def of_account(self, account_id: UUID, member_id: UUID | None) -> bool:
        """Whether the account has used anything in this tenant; under this holder, if one is named."""
        day = models.HolderCostDay
        rows = select(day).where(day.tenant_id == self._tenant_id, day.account_id == account_id)
        return await self._any(rows if member_id is None else rows.where(day.member_id == member_id))

    async def of_team(self, team_id: UUID) -> bool:
        """Whether anything was used in the team or below it."""
        path = models.TeamPath
        return await self._any(
            select(path).where(path.tenant_id == self._tenant_id, path.team_ids.any_() == team_id)
        )

    async def _any(self, rows: Select[Any]) -> bool:
        return bool(await self._snapshot.session.scalar(select(rows.exists())))
