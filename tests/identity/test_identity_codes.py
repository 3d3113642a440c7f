"""The codes of accounts, and the accounts of an enterprise."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from chassis.clock import Clock
from tests.identity import make
from tests.identity.make import SignedIn
from tests.identity.service import Identity
from wrtn.access.v1.access_pb2 import Title
from wrtn.identity.v1 import accounts_pb2
from wrtn.identity.v1.accounts_pb2 import Account

CODES = grpc.StatusCode


async def refused(call: Any) -> tuple[grpc.StatusCode, str]:
    """Answers code and reason of a call that has to fail."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), make.reason(caught.value)


async def recode(identity: Identity, by: SignedIn, account_id: str, code: str) -> Account:
    """Gives an account another code."""
    request = accounts_pb2.UpdateAccountRequest(account=Account(id=account_id, code=code))
    return await identity.accounts.UpdateAccount(request, metadata=by.metadata)


async def colleague(identity: Identity, enterprise_id: str) -> SignedIn:
    """Makes an employee without a title to speak of, acting for the enterprise."""
    person = await make.member(identity)
    account = await make.open_account(identity, person.member_id, enterprise_id=enterprise_id)
    identity.titles[enterprise_id, account.id] = Title.TITLE_MEMBER
    return SignedIn(person.email, await make.refresh(identity, person.pair.refresh_token, account.id))


async def test_the_holder_and_the_managers_change_the_code(identity: Identity) -> None:
    enterprise_id, owner = await make.owner(identity)
    worker = await colleague(identity, enterprise_id)
    assert (await recode(identity, worker, worker.account_id, "박미나-2")).code == "박미나-2"
    assert (await recode(identity, owner, worker.account_id, "support")).code == "support"
    events = await make.published(identity, "account.code_changed", worker.account_id)
    assert [(each.account_id, each.tenant_id) for each in events] == [(worker.account_id, enterprise_id)] * 2


async def test_a_code_that_is_taken_is_refused_and_changes_nothing(identity: Identity) -> None:
    enterprise_id, owner = await make.owner(identity)
    worker = await colleague(identity, enterprise_id)
    taken = await recode(identity, owner, owner.account_id, "boss")
    before = await identity.accounts.GetAccount(
        accounts_pb2.GetAccountRequest(account_id=worker.account_id), metadata=worker.metadata
    )
    assert await refused(recode(identity, worker, worker.account_id, taken.code)) == (
        CODES.ALREADY_EXISTS,
        "ACCOUNT_CODE_TAKEN",
    )
    after = await identity.accounts.GetAccount(
        accounts_pb2.GetAccountRequest(account_id=worker.account_id), metadata=worker.metadata
    )
    assert after == before
    # In another tenant it is free.
    alone = await make.member(identity)
    assert (await recode(identity, alone, alone.account_id, "boss")).code == "boss"


async def test_one_of_two_who_want_a_code_at_once_has_it(identity: Identity) -> None:
    enterprise_id, _ = await make.owner(identity)
    people = [await colleague(identity, enterprise_id) for _ in range(4)]
    answers = await asyncio.gather(
        *(recode(identity, each, each.account_id, "first") for each in people), return_exceptions=True
    )
    assert sum(isinstance(each, Account) for each in answers) == 1
    others = {make.reason(each) for each in answers if isinstance(each, grpc.aio.AioRpcError)}
    assert others == {"ACCOUNT_CODE_TAKEN"}


@pytest.mark.parametrize("code", ["", "Boss", "a b", "-boss", "a--b", "boss@example.com"])
async def test_a_text_that_is_no_code_is_refused(identity: Identity, code: str) -> None:
    person = await make.member(identity)
    request = accounts_pb2.UpdateAccountRequest(account=Account(id=person.account_id, code=code))
    request.update_mask.paths.append("code")
    assert await refused(identity.accounts.UpdateAccount(request, metadata=person.metadata)) == (
        CODES.INVALID_ARGUMENT,
        "ACCOUNT_CODE_INVALID",
    )


async def test_a_colleague_or_a_stranger_sees_and_changes_no_account_of_another(identity: Identity) -> None:
    enterprise_id, owner = await make.owner(identity)
    worker, stranger = await colleague(identity, enterprise_id), await make.member(identity)
    for by in (worker, stranger):
        for account_id in (owner.account_id, str(Clock().new_id())):
            assert await refused(recode(identity, by, account_id, "mine")) == (
                CODES.NOT_FOUND,
                "ACCOUNT_NOT_FOUND",
            )


async def test_managers_list_the_accounts_of_their_enterprise_page_by_page(identity: Identity) -> None:
    enterprise_id, owner = await make.owner(identity)
    people = [await colleague(identity, enterprise_id) for _ in range(3)]
    found, token = [], ""
    while True:
        request = accounts_pb2.ListEnterpriseAccountsRequest(
            enterprise_id=enterprise_id, page_size=2, page_token=token
        )
        page = await identity.accounts.ListEnterpriseAccounts(request, metadata=owner.metadata)
        found += [each.id for each in page.accounts]
        token = page.next_page_token
        if not token:
            break
    assert found == [owner.account_id, *(each.account_id for each in people)]
    request = accounts_pb2.ListEnterpriseAccountsRequest(
        enterprise_id=enterprise_id, holder_member_id=people[1].member_id
    )
    page = await identity.accounts.ListEnterpriseAccounts(request, metadata=owner.metadata)
    assert [each.id for each in page.accounts] == [people[1].account_id]
    request = accounts_pb2.ListEnterpriseAccountsRequest(enterprise_id=enterprise_id)
    assert await refused(identity.accounts.ListEnterpriseAccounts(request, metadata=people[0].metadata)) == (
        CODES.PERMISSION_DENIED,
        "NOT_ADMITTED",
    )


async def test_a_member_switches_the_acting_account_without_signing_in_again(identity: Identity) -> None:
    person = await make.member(identity)
    account = await make.open_account(identity, person.member_id)
    there = await make.refresh(identity, person.pair.refresh_token, account.id)
    assert there.account_id == account.id
    # It stays the acting one until another is named.
    still = await make.refresh(identity, there.refresh_token)
    assert still.account_id == account.id
    assert (
        await make.refresh(identity, still.refresh_token, person.account_id)
    ).account_id == person.account_id
    count = await make.rows(identity, "SELECT count(*) FROM wrtn_logins", person.member_id)
    assert count[0][0] == 1
