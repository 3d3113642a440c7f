"""Whose accounts a caller may look into and hand over: what the access rules leave to the use case."""

from __future__ import annotations

from uuid import UUID

from chassis.access.employment import AccessCache
from chassis.call import Caller
from chassis.database import Database, Scope, Snapshot
from services.identity.accounts.accounts import not_found
from services.identity.errors import ActingEnded
from services.identity.models import Account, AccountKind
from services.identity.store import Accounts, Principals
from wrtn.access.v1.access_pb2 import Title


class Reach:
    """Answers accounts by the caller's holding of them, or by their title. Never from the cache."""

    def __init__(self, db: Database, access: AccessCache) -> None:
        self._db = db
        self._access = access

    async def account(self, caller: Caller, account_id: UUID) -> Account:
        """Answers an account that the caller holds, or that belongs to the enterprise they manage.

        Raises AccountNotFound for any other. Asks enterprise, so never inside a transaction.
        """
        async with self._db.snapshot(Scope.of(member_id=caller.member_id)) as snapshot:
            held = await Accounts(snapshot).held(_sure(caller.member_id), account_id)
        if held is not None:
            return held
        return await self.managed(caller, account_id)

    async def managed(self, caller: Caller, account_id: UUID) -> Account:
        """Answers an account of the enterprise that the caller manages; raises AccountNotFound."""
        tenant_id = _sure(caller.tenant_id)
        if await self.title(tenant_id, _sure(caller.account_id), caller.member_id) < Title.TITLE_MANAGER:
            raise not_found()
        async with self._db.snapshot(Scope.of(tenant_id)) as snapshot:
            found = await Accounts(snapshot).in_tenant(tenant_id, account_id)
        if found is None or found.kind != AccountKind.ENTERPRISE:
            raise not_found()
        return found

    async def employers(self, member_id: UUID) -> list[UUID]:
        """Answers the enterprises where the member works at this moment. Never inside a transaction."""
        async with self._db.snapshot(Scope.of(member_id=member_id)) as snapshot:
            held = await Accounts(snapshot).at_work(member_id)
        return sorted({tenant for tenant, account in held if await self.title(tenant, account, member_id)})

    async def title(self, tenant_id: UUID, account_id: UUID, member_id: UUID | None) -> int:
        """Answers the title of a member in the enterprise of an account; 0 for who is not employed there."""
        if tenant_id == account_id:
            return Title.TITLE_UNSPECIFIED
        found = await self._access.resolve(tenant_id, account_id, member_id=member_id, fresh=True)
        return found.title if found is not None else Title.TITLE_UNSPECIFIED


async def require_acting(snapshot: Snapshot, caller: Caller) -> None:
    """Raises ActingEnded unless the caller's member, login and account are all good at this moment.

    The interceptor let the caller in by an answer that may be seconds old: too old to hand over by.
    """
    found = await Principals(snapshot).member(_sure(caller.member_id), caller.login_id, caller.account_id)
    if found is None or (caller.login_id and found[1] is None) or (caller.account_id and found[2] is None):
        raise ActingEnded("The login has ended.")


def _sure(id_: UUID | None) -> UUID:
    if id_ is None:
        raise not_found()
    return id_
