"""Whose account a caller may look into, and that all others look as if there were none."""

from __future__ import annotations

from uuid import UUID

import pytest

from chassis.access.accounts import AccountNotFound, Holder, View, tenant_of, view_of_account
from chassis.access.employment import AccessCache
from chassis.call import ANONYMOUS, Caller, CallerKind
from chassis.clock import Clock
from wrtn.access.v1.access_pb2 import TITLE_MANAGER, TITLE_MEMBER, TITLE_OWNER, Title
from wrtn.enterprise.v1 import access_pb2

NEW = Clock().new_id
ENTERPRISE, ACTING, COLLEAGUE, GONE, STRANGER = (NEW() for _ in range(5))
HANDED_ON, GIVEN_AWAY, ME, EMPLOYEE = (NEW() for _ in range(4))
"""An account of the enterprise and a personal one that the caller held before; the caller."""


def caller_of(tenant_id: UUID | None = ENTERPRISE) -> Caller:
    """The member who acts."""
    return Caller(CallerKind.MEMBER, member_id=ME, account_id=ACTING, tenant_id=tenant_id)


async def looked(title: int, account_id: UUID, caller: Caller | None = None) -> View:
    """Looks into an account as one who has this title in the enterprise."""
    titles = {ACTING: title, COLLEAGUE: TITLE_MEMBER}

    async def employed(request: access_pb2.ResolveAccessRequest) -> access_pb2.Access:
        found = titles.get(UUID(request.account_id), 0)
        if not found or request.enterprise_id != str(ENTERPRISE):
            return access_pb2.Access()
        return access_pb2.Access(employee_id=str(EMPLOYEE), member_id=str(ME), title=found)  # type: ignore[arg-type]

    async def was_there(tenant_id: UUID, of: UUID, holder: Holder | None) -> bool:
        return (tenant_id, of, holder) in (
            (ENTERPRISE, GONE, None),
            (ENTERPRISE, HANDED_ON, None),
            (ENTERPRISE, HANDED_ON, Holder(ME, EMPLOYEE)),
            (GIVEN_AWAY, GIVEN_AWAY, Holder(ME, None)),
        )

    return await view_of_account(AccessCache(employed), caller or caller_of(), account_id, was_there)


@pytest.mark.parametrize("account_id", [ACTING, HANDED_ON])
async def test_everyone_looks_into_their_own_time_of_the_accounts_they_hold_or_held(account_id: UUID) -> None:
    assert await looked(TITLE_MEMBER, account_id) == View(ENTERPRISE, Holder(ME, EMPLOYEE))


@pytest.mark.parametrize("title", [0, TITLE_MEMBER, TITLE_OWNER])
async def test_who_gave_a_personal_account_away_looks_into_their_own_time_of_it(
    title: Title.ValueType,
) -> None:
    assert await looked(title, GIVEN_AWAY) == View(GIVEN_AWAY, Holder(ME, None))


async def test_a_personal_account_is_looked_into_by_its_holder() -> None:
    assert await looked(0, ACTING, caller_of(ACTING)) == View(ACTING, Holder(ME, None))


@pytest.mark.parametrize("account_id", [ACTING, HANDED_ON])
async def test_who_works_there_no_more_looks_into_nothing_of_the_enterprise(account_id: UUID) -> None:
    with pytest.raises(AccountNotFound):
        await looked(0, account_id)


@pytest.mark.parametrize("title", [TITLE_MANAGER, TITLE_OWNER])
@pytest.mark.parametrize("account_id", [ACTING, COLLEAGUE, GONE, HANDED_ON])
async def test_managers_and_owners_look_into_all_of_those_who_are_or_were_there(
    title: Title.ValueType, account_id: UUID
) -> None:
    assert await looked(title, account_id) == View(ENTERPRISE, None)


@pytest.mark.parametrize("title", [0, TITLE_MEMBER])
@pytest.mark.parametrize("account_id", [COLLEAGUE, GONE, STRANGER])
async def test_others_find_no_account_but_their_own(title: Title.ValueType, account_id: UUID) -> None:
    with pytest.raises(AccountNotFound):
        await looked(title, account_id)


@pytest.mark.parametrize("title", [TITLE_MANAGER, TITLE_OWNER])
async def test_nobody_finds_an_account_that_was_never_there(title: Title.ValueType) -> None:
    with pytest.raises(AccountNotFound):
        await looked(title, STRANGER)


async def test_a_manager_elsewhere_is_none_here() -> None:
    with pytest.raises(AccountNotFound):
        await looked(TITLE_OWNER, COLLEAGUE, caller_of(NEW()))


@pytest.mark.parametrize("caller", [ANONYMOUS, caller_of(None)])
async def test_who_acts_for_no_tenant_finds_none(caller: Caller) -> None:
    with pytest.raises(AccountNotFound):
        await looked(TITLE_OWNER, ACTING, caller)
    with pytest.raises(AccountNotFound):
        tenant_of(caller)


async def test_a_service_manages_nothing() -> None:
    with pytest.raises(AccountNotFound):
        await looked(TITLE_OWNER, COLLEAGUE, Caller(CallerKind.SERVICE, tenant_id=ENTERPRISE))
