"""Costs: who may ask for an account's, and the answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from chassis.access.employment import AccessCache
from chassis.call import Caller
from chassis.database import Database, Scope
from services.billing.errors import AccountNotFound, TeamNotFound, TimeRangeInvalid
from services.billing.store import LedgerEntries, Usages
from services.billing.sums import Asked, Sum, sums
from wrtn.access.v1.access_pb2 import Title


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
    tenant_id = _tenant(caller)
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
    tenant_id = _tenant(caller)
    if account_id != caller.account_id:
        await _allow_another(db, access, caller, account_id)
    return await _costs(db, tenant_id, replace(asked, account_id=account_id))


async def _allow_another(db: Database, access: AccessCache, caller: Caller, account_id: UUID) -> None:
    """Raises AccountNotFound unless the caller manages the enterprise and the account is or was of it."""
    tenant_id = _tenant(caller)
    own = await access.resolve(tenant_id, caller.account_id) if caller.account_id is not None else None
    if own is None or own.title < Title.TITLE_MANAGER:
        raise AccountNotFound("The account does not exist.", field="account_id")
    if await access.resolve(tenant_id, account_id) is not None:
        return
    async with db.snapshot(Scope.of(tenant_id)) as snapshot:
        if not await Usages(snapshot, tenant_id).of_account(account_id):
            raise AccountNotFound("The account does not exist.", field="account_id")


async def _costs(db: Database, tenant_id: UUID, asked: Asked) -> Costs:
    if asked.start is not None and asked.end is not None and asked.end <= asked.start:
        raise TimeRangeInvalid("The end must be after the start.", field="end_time")
    async with db.snapshot(Scope.of(tenant_id)) as snapshot:
        total, rows = await sums(snapshot, tenant_id, asked)
        return Costs(await LedgerEntries(snapshot, tenant_id).currency(), total, rows)


def _tenant(caller: Caller) -> UUID:
    if caller.tenant_id is None:
        raise AccountNotFound("The account does not exist.", field="account_id")
    return caller.tenant_id
