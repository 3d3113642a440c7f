"""Whose account a caller may look into, and whose time in it: what was used stays with who held it then."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from chassis.access.employment import AccessCache
from chassis.call import Access, Caller
from chassis.errors import NotFound
from wrtn.access.v1.access_pb2 import Title


@dataclass(frozen=True, slots=True)
class Holder:
    """A member as holder of accounts, with who they are in the enterprise."""

    member_id: UUID
    employee_id: UUID | None
    """None for a personal account."""


@dataclass(frozen=True, slots=True)
class View:
    """What a caller may see of an account."""

    tenant_id: UUID
    holder: Holder | None
    """Whose time alone is shown; None for that of all who held it."""


WasThere = Callable[[UUID, UUID, Holder | None], Awaitable[bool]]
"""Whether the service has rows of this tenant and account, of this holder's time if one is named."""


class AccountNotFound(NotFound):
    """The account does not exist, or is none that the caller may look into: both look the same."""

    reason = "ACCOUNT_NOT_FOUND"


async def view_of_account(access: AccessCache, caller: Caller, account_id: UUID, was_there: WasThere) -> View:
    """Answers what the caller may see of an account.

    Managers and owners see all of each account that is or was of their enterprise. Everybody else sees their
    own time: of the acting account, and of each that they held before, in the enterprise in which they act
    or a personal one. Raises AccountNotFound for any other, whether it exists or not.
    """
    tenant_id = tenant_of(caller)
    own = await _employment(access, caller, tenant_id)
    if own is not None:
        if own.title >= Title.TITLE_MANAGER and await _is_of(access, tenant_id, account_id, was_there):
            return View(tenant_id, None)
        me = Holder(own.member_id, own.employee_id)
        if account_id == caller.account_id or await was_there(tenant_id, account_id, me):
            return View(tenant_id, me)
    if caller.member_id is None:
        raise _not_found()
    # A personal account is its own tenant.
    alone = Holder(caller.member_id, None)
    if account_id == caller.account_id == tenant_id or await was_there(account_id, account_id, alone):
        return View(account_id, alone)
    raise _not_found()


def tenant_of(caller: Caller) -> UUID:
    """Answers the tenant of the acting account; raises AccountNotFound if the caller acts for none."""
    if caller.tenant_id is None:
        raise _not_found()
    return caller.tenant_id


async def _employment(access: AccessCache, caller: Caller, tenant_id: UUID) -> Access | None:
    if caller.account_id is None or caller.account_id == tenant_id:
        return None
    return await access.resolve(tenant_id, caller.account_id, member_id=caller.member_id)


async def _is_of(access: AccessCache, tenant_id: UUID, account_id: UUID, was_there: WasThere) -> bool:
    found = await access.resolve(tenant_id, account_id)
    return found is not None or await was_there(tenant_id, account_id, None)


def _not_found() -> AccountNotFound:
    return AccountNotFound("The account does not exist.", field="account_id")
