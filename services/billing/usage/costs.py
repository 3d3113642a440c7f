"""Costs: who may ask for an account's, and the answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from chassis.access.accounts import Holder, WasThere, tenant_of, view_of_account
from chassis.access.employment import AccessCache
from chassis.call import Caller
from chassis.database import Database, Scope
from services.billing.errors import TeamNotFound, TimeRangeInvalid
from services.billing.store import LedgerEntries, Usages
from services.billing.usage.sums import Asked, Sum, sums


@dataclass(frozen=True, slots=True)
class Costs:
    """An answer, and the currency of what is charged."""

    charge_currency: str
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
    """Sums what the caller used as holder of an account, or, for managers and owners, what all holders did.

    Raises AccountNotFound for an account that the caller may not look into, whether it exists or not, and
    TimeRangeInvalid.
    """
    view = await view_of_account(access, caller, account_id, _known_by_rows(db))
    member_id = view.holder.member_id if view.holder is not None else None
    return await _costs(db, view.tenant_id, replace(asked, account_id=account_id, member_id=member_id))


async def _costs(db: Database, tenant_id: UUID, asked: Asked) -> Costs:
    if asked.start is not None and asked.end is not None and asked.end <= asked.start:
        raise TimeRangeInvalid("The end must be after the start.", field="end_time")
    async with db.snapshot(Scope.of(tenant_id)) as snapshot:
        total, rows = await sums(snapshot, tenant_id, asked)
        return Costs(await LedgerEntries(snapshot, tenant_id).currency(), total, rows)


def _known_by_rows(db: Database) -> WasThere:
    async def known(tenant_id: UUID, account_id: UUID, holder: Holder | None) -> bool:
        async with db.snapshot(Scope.of(tenant_id)) as snapshot:
            member_id = holder.member_id if holder is not None else None
            return await Usages(snapshot, tenant_id).of_account(account_id, member_id)

    return known
