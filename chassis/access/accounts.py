"""Whose account a caller may look into: their own, and as a manager or owner those of the enterprise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from chassis.access.employment import AccessCache
from chassis.call import Caller
from chassis.errors import NotFound
from wrtn.access.v1.access_pb2 import Title

WasThere = Callable[[UUID, UUID], Awaitable[bool]]
"""Whether the service has rows of this tenant and account: accounts that have left are known by them."""


class AccountNotFound(NotFound):
    """The account does not exist, or is none that the caller may look into: both look the same."""

    reason = "ACCOUNT_NOT_FOUND"


async def tenant_of_account(
    access: AccessCache, caller: Caller, account_id: UUID, was_there: WasThere
) -> UUID:
    """Answers the tenant in which the caller may look into the account.

    That is the acting account itself, and for managers and owners each account that is or was of their
    enterprise. Raises AccountNotFound for any other, whether it exists or not.
    """
    tenant_id = tenant_of(caller)
    if account_id == caller.account_id:
        return tenant_id
    if not await _manages(access, caller, tenant_id):
        raise _not_found()
    if await access.resolve(tenant_id, account_id) is None and not await was_there(tenant_id, account_id):
        raise _not_found()
    return tenant_id


def tenant_of(caller: Caller) -> UUID:
    """Answers the tenant of the acting account; raises AccountNotFound if the caller acts for none."""
    if caller.tenant_id is None:
        raise _not_found()
    return caller.tenant_id


async def _manages(access: AccessCache, caller: Caller, tenant_id: UUID) -> bool:
    if caller.account_id is None:
        return False
    own = await access.resolve(tenant_id, caller.account_id, member_id=caller.member_id)
    return own is not None and own.title >= Title.TITLE_MANAGER


def _not_found() -> AccountNotFound:
    return AccountNotFound("The account does not exist.", field="account_id")
