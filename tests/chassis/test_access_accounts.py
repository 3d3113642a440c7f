"""Whose account a caller may look into, and that all others look as if there were none."""

from __future__ import annotations

from uuid import UUID

import pytest

from chassis.access.accounts import AccountNotFound, tenant_of, tenant_of_account
from chassis.access.employment import AccessCache
from chassis.call import ANONYMOUS, Caller, CallerKind
from chassis.clock import Clock
from wrtn.access.v1.access_pb2 import TITLE_MANAGER, TITLE_MEMBER, TITLE_OWNER, Title
from wrtn.enterprise.v1 import access_pb2

NEW = Clock().new_id
ENTERPRISE, ACTING, COLLEAGUE, GONE, STRANGER = (NEW() for _ in range(5))


def caller_of(tenant_id: UUID | None = ENTERPRISE) -> Caller:
    """The member who acts."""
    return Caller(CallerKind.MEMBER, member_id=NEW(), account_id=ACTING, tenant_id=tenant_id)


async def looked(title: Title.ValueType, account_id: UUID, caller: Caller | None = None) -> UUID:
    """Looks into an account as one who has this title in the enterprise."""
    titles = {(ENTERPRISE, ACTING): title, (ENTERPRISE, COLLEAGUE): TITLE_MEMBER}

    async def employed(request: access_pb2.ResolveAccessRequest) -> access_pb2.Access:
        found = titles.get((UUID(request.enterprise_id), UUID(request.account_id)))
        if not found:
            return access_pb2.Access()
        return access_pb2.Access(employee_id=str(NEW()), member_id=str(NEW()), title=found)

    async def was_there(tenant_id: UUID, of: UUID) -> bool:
        return (tenant_id, of) == (ENTERPRISE, GONE)

    return await tenant_of_account(AccessCache(employed), caller or caller_of(), account_id, was_there)


@pytest.mark.parametrize("title", [0, TITLE_MEMBER, TITLE_MANAGER, TITLE_OWNER])
async def test_everyone_may_look_into_the_acting_account(title: Title.ValueType) -> None:
    assert await looked(title, ACTING) == ENTERPRISE


@pytest.mark.parametrize("title", [TITLE_MANAGER, TITLE_OWNER])
@pytest.mark.parametrize("account_id", [COLLEAGUE, GONE])
async def test_managers_and_owners_may_look_into_those_who_are_or_were_there(
    title: Title.ValueType, account_id: UUID
) -> None:
    assert await looked(title, account_id) == ENTERPRISE


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
