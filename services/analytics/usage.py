"""Usage over time: who may ask for an account's, and the answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from chassis.access.accounts import Holder, WasThere, tenant_of, view_of_account
from chassis.access.employment import AccessCache
from chassis.call import Caller
from chassis.database import Database, Scope
from services.analytics.asking import Asked
from services.analytics.errors import TeamNotFound
from services.analytics.facts import NOBODY
from services.analytics.queries import Counts, Row, Usage


@dataclass(frozen=True, slots=True)
class Answer:
    """The sum over the whole time, and the rows."""

    total: Counts
    rows: list[Row]


async def of_enterprise(db: Database, caller: Caller, asked: Asked) -> Answer:
    """Sums the usage of the caller's enterprise, or of a team in it; raises TeamNotFound.

    A team that is gone is still known by what it used.
    """
    tenant_id = tenant_of(caller)
    there = caller.access is not None and caller.access.team is not None
    async with db.snapshot(Scope.of(tenant_id)) as snapshot:
        usage = Usage(snapshot, tenant_id)
        if asked.team_id is not None and not there and not await usage.knows_team(asked.team_id):
            raise TeamNotFound("The team does not exist.", field="team_id")
        return Answer(await usage.total(asked), await usage.rows(asked))


async def of_account(
    db: Database, access: AccessCache, caller: Caller, account_id: UUID, asked: Asked
) -> Answer:
    """Sums what the caller used as holder of an account, or, for managers and owners, what all holders did.

    Raises AccountNotFound for an account that the caller may not look into, whether it exists or not.
    """
    view = await view_of_account(access, caller, account_id, _known_by_rows(db))
    holders = _holders(view.holder)
    if view.tenant_id == caller.account_id:
        # What a version before counted is the holder's, since it becomes another's with the first transfer.
        holders = (*holders, NOBODY)
    asked = replace(asked, holders=holders)
    async with db.snapshot(Scope.of(view.tenant_id)) as snapshot:
        usage = Usage(snapshot, view.tenant_id)
        return Answer(await usage.total(asked), await usage.rows(asked))


def _holders(holder: Holder | None) -> tuple[UUID, ...]:
    return (holder.employee_id or holder.member_id,) if holder is not None else ()


def _known_by_rows(db: Database) -> WasThere:
    async def known(tenant_id: UUID, account_id: UUID, holder: Holder | None) -> bool:
        async with db.snapshot(Scope.of(tenant_id)) as snapshot:
            return await Usage(snapshot, tenant_id).knows_account(account_id, _holders(holder))

    return known
