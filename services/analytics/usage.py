"""Usage over time: who may ask for an account's, and the answers."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from chassis.access.employment import AccessCache
from chassis.call import Caller
from chassis.database import Database, Scope
from services.analytics.asking import Asked
from services.analytics.errors import AccountNotFound, TeamNotFound
from services.analytics.queries import Counts, Row, Usage
from wrtn.access.v1.access_pb2 import Title


@dataclass(frozen=True, slots=True)
class Answer:
    """The sum over the whole time, and the rows."""

    total: Counts
    rows: list[Row]


async def of_enterprise(db: Database, caller: Caller, asked: Asked) -> Answer:
    """Sums the usage of the caller's enterprise, or of a team in it; raises TeamNotFound.

    A team that is gone is still known by what it used.
    """
    tenant_id = _tenant(caller)
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
    tenant_id = _tenant(caller)
    if account_id != caller.account_id:
        await _allow_another(db, access, caller, account_id)
    async with db.snapshot(Scope.of(tenant_id)) as snapshot:
        usage = Usage(snapshot, tenant_id)
        return Answer(await usage.total(asked), await usage.rows(asked))


async def _allow_another(db: Database, access: AccessCache, caller: Caller, account_id: UUID) -> None:
    """Raises AccountNotFound unless the caller manages the enterprise and the account is or was of it."""
    tenant_id = _tenant(caller)
    own = await access.resolve(tenant_id, caller.account_id) if caller.account_id is not None else None
    if own is None or own.title < Title.TITLE_MANAGER:
        raise AccountNotFound("The account does not exist.", field="account_id")
    if await access.resolve(tenant_id, account_id) is not None:
        return
    async with db.snapshot(Scope.of(tenant_id)) as snapshot:
        if not await Usage(snapshot, tenant_id).knows_account(account_id):
            raise AccountNotFound("The account does not exist.", field="account_id")


def _tenant(caller: Caller) -> UUID:
    if caller.tenant_id is None:
        raise AccountNotFound("The account does not exist.", field="account_id")
    return caller.tenant_id
