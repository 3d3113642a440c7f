"""Costs: who may ask for an account's, and the answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from chassis.access.accounts import WasThere, tenant_of, tenant_of_account
from chassis.access.employment import AccessCache
from chassis.call import Caller
from chassis.database import Database, Scope
from services.billing.errors import TeamNotFound, TimeRangeInvalid
from services.billing.store import LedgerEntries, Usages
from services.billing.sums import Asked, Sum, sums


@dataclass(frozen=True, slots=True)
class Costs:
    """An answer, and the currency of all its costs."""

    currency: str
    total: Sum
    rows: list[Sum]


async def of_enterprise(db: Database, caller: Caller, asked: Asked) -> Costs:
    """Sums the costs of the caller's enterprise, or of a team in it; raises TeamNotFound, TimeRangeInvalid.

    A team that is gone is still known by what it used.
    """
    tenant_id = tenant_of(caller)
    there = caller.access is not None and caller.access.team is not None
    if asked.team_id is not None and not there:
        async with db.snapshot(Scope.of(tenant_id)) as snapshot:
            if not await Usages(snapshot, tenant_id).of_team(asked.team_id):
                raise TeamNotFound("The team does not exist.", field="team_id")
    return await _costs(db, tenant_id, asked)


async def of_account(
    db: Database, access: AccessCache, caller: Caller, account_id: UUID, asked: Asked
) -> Costs:
    """Sums the costs of the acting account, or, for managers and owners, of any account of their enterprise.

    Raises AccountNotFound for any other, whether it exists or not, and TimeRangeInvalid.
    """
    tenant_id = await tenant_of_account(access, caller, account_id, _known_by_rows(db))
    return await _costs(db, tenant_id, replace(asked, account_id=account_id))


async def _costs(db: Database, tenant_id: UUID, asked: Asked) -> Costs:
    if asked.start is not None and asked.end is not None and asked.end <= asked.start:
        raise TimeRangeInvalid("The end must be after the start.", field="end_time")
    async with db.snapshot(Scope.of(tenant_id)) as snapshot:
        total, rows = await sums(snapshot, tenant_id, asked)
        return Costs(await LedgerEntries(snapshot, tenant_id).currency(), total, rows)


def _known_by_rows(db: Database) -> WasThere:
    async def known(tenant_id: UUID, account_id: UUID) -> bool:
        async with db.snapshot(Scope.of(tenant_id)) as snapshot:
            return await Usages(snapshot, tenant_id).of_account(account_id)

    return known
