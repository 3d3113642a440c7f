"""Usage over time: who may ask for an account's, and the answers."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from chassis.access.accounts import WasThere, tenant_of, tenant_of_account
from chassis.access.employment import AccessCache
from chassis.call import Caller
from chassis.database import Database, Scope
from services.analytics.asking import Asked
from services.analytics.errors import TeamNotFound
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
    """Sums the usage of the acting account, or, for managers and owners, of any of their enterprise.

    Raises AccountNotFound for any other, whether it exists or not.
    """
    tenant_id = await tenant_of_account(access, caller, account_id, _known_by_rows(db))
    async with db.snapshot(Scope.of(tenant_id)) as snapshot:
        usage = Usage(snapshot, tenant_id)
        return Answer(await usage.total(asked), await usage.rows(asked))


def _known_by_rows(db: Database) -> WasThere:
    async def known(tenant_id: UUID, account_id: UUID) -> bool:
        async with db.snapshot(Scope.of(tenant_id)) as snapshot:
            return await Usage(snapshot, tenant_id).knows_account(account_id)

    return known
