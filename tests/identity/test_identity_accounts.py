"""Opening the accounts of employees, by RPC and by event."""

from __future__ import annotations

import asyncio
import base64
from uuid import UUID

import grpc
import pytest

from chassis.clock import Clock
from chassis.paging import Page
from chassis.testing.waiting import until
from tests.identity import make
from tests.identity.service import Identity
from wrtn.access.v1.access_pb2 import Title
from wrtn.enterprise.v1.events_pb2 import EmployeeHired
from wrtn.identity.v1 import accounts_pb2


def new_id() -> str:
    """Makes an id."""
    return str(Clock().new_id())


async def test_an_enterprise_account_belongs_to_the_enterprise(identity: Identity) -> None:
    signed_in = await make.member(identity, display_name="Mina Park")
    enterprise_id = new_id()
    account = await make.open_account(identity, signed_in.member_id, enterprise_id=enterprise_id)
    assert account.tenant_id == enterprise_id
    assert account.kind == accounts_pb2.Account.KIND_ENTERPRISE
    assert (account.code, account.holder_member_id) == ("mina-park", signed_in.member_id)
    events = await make.published(identity, "account.opened", signed_in.member_id)
    assert [each.tenant_id for each in events] == [signed_in.account_id, enterprise_id]


async def test_opening_an_account_twenty_times_at_once_opens_it_once(identity: Identity) -> None:
    signed_in = await make.member(identity)
    enterprise_id, account_id = new_id(), new_id()
    answers = await asyncio.gather(
        *(
            make.open_account(
                identity, signed_in.member_id, enterprise_id=enterprise_id, account_id=account_id
            )
            for _ in range(20)
        )
    )
    assert all(each == answers[0] for each in answers)
    assert len(await make.published(identity, "account.opened", signed_in.member_id)) == 2


async def test_a_repetition_for_another_member_is_refused(identity: Identity) -> None:
    one, two = await make.member(identity), await make.member(identity)
    account = await make.open_account(identity, one.member_id)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await make.open_account(
            identity, two.member_id, enterprise_id=account.tenant_id, account_id=account.id
        )
    assert (refused.value.code(), make.reason(refused.value)) == (
        grpc.StatusCode.ALREADY_EXISTS,
        "ACCOUNT_EXISTS",
    )


async def test_codes_are_unique_in_their_enterprise_also_at_once(identity: Identity) -> None:
    members = [await make.member(identity, display_name="Mina Park") for _ in range(6)]
    enterprise_id = new_id()
    accounts = await asyncio.gather(
        *(make.open_account(identity, each.member_id, enterprise_id=enterprise_id) for each in members)
    )
    codes = [each.code for each in accounts]
    assert len(set(codes)) == 6
    assert codes.count("mina-park") == 1
    assert all(code.startswith("mina-park") for code in codes)


async def test_the_same_account_id_in_two_enterprises_is_no_conflict(identity: Identity) -> None:
    one, two = await make.member(identity), await make.member(identity)
    account_id = new_id()
    first = await make.open_account(identity, one.member_id, account_id=account_id)
    second = await make.open_account(identity, two.member_id, account_id=account_id)
    assert first.tenant_id != second.tenant_id


@pytest.mark.parametrize("state", ["unknown", "pending"])
async def test_no_account_is_opened_for_one_who_is_no_active_member(identity: Identity, state: str) -> None:
    member_id = await make.pending(identity) if state == "pending" else new_id()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await make.open_account(identity, member_id)
    assert make.reason(refused.value) == "MEMBER_NOT_FOUND"


async def test_only_peers_open_accounts(identity: Identity) -> None:
    signed_in = await make.member(identity)
    request = accounts_pb2.OpenAccountRequest(
        account_id=new_id(), enterprise_id=new_id(), member_id=signed_in.member_id
    )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await identity.accounts.OpenAccount(request, metadata=signed_in.metadata)
    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    with pytest.raises(grpc.aio.AioRpcError) as missing:
        await identity.accounts.OpenAccount(request)
    assert missing.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_an_account_of_another_looks_like_none(identity: Identity) -> None:
    signed_in, neighbour = await make.member(identity), await make.member(identity)
    answers = []
    for wanted in (neighbour.account_id, new_id()):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await identity.accounts.GetAccount(
                accounts_pb2.GetAccountRequest(account_id=wanted), metadata=signed_in.metadata
            )
        answers.append((refused.value.code(), make.reason(refused.value), refused.value.details()))
    assert answers[0] == answers[1]
    own = await identity.accounts.GetAccount(
        accounts_pb2.GetAccountRequest(account_id=signed_in.account_id), metadata=signed_in.metadata
    )
    assert own.id == signed_in.account_id


@pytest.mark.parametrize(
    "cursor",
    ['["9","2026-01-01T00:00:00+00:00","x"]', '["0","never","x"]', '["0"]', "[]", '["0","1","2","3"]'],
)
async def test_a_page_token_that_we_did_not_make_is_refused(identity: Identity, cursor: str) -> None:
    """The token's hash is of public things: whoever forges it well gets a refusal, no failure."""
    signed_in = await make.member(identity)
    query = Page.of(accounts_pb2.ListAccountsRequest())._query
    token = base64.urlsafe_b64encode(query + cursor.encode()).rstrip(b"=").decode()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await identity.accounts.ListAccounts(
            accounts_pb2.ListAccountsRequest(page_token=token), metadata=signed_in.metadata
        )
    assert make.reason(refused.value) == "PAGE_TOKEN_INVALID"


async def hire(identity: Identity, event: EmployeeHired, times: int = 1) -> None:
    """Publishes the event as enterprise's relay would, in a stream of its own."""
    await make.publish(identity, event, UUID(event.enterprise_id), UUID(event.employee_id), times)


async def accounts_of(identity: Identity, member_id: str, count: int) -> list[tuple[str, str]]:
    """Waits until the member holds this many accounts; answers tenant and id of each."""

    async def found() -> list[tuple[str, str]]:
        rows = await make.rows(identity, "SELECT tenant_id, id FROM wrtn_accounts", member_id)
        return [(str(row.tenant_id), str(row.id)) for row in rows] if len(rows) >= count else []

    return await until(found)


def hired(member_id: str, enterprise_id: str = "", account_id: str = "") -> EmployeeHired:
    """Builds the event of an employment."""
    return EmployeeHired(
        enterprise_id=enterprise_id or new_id(),
        employee_id=new_id(),
        member_id=member_id,
        account_id=account_id or new_id(),
        title=Title.TITLE_MEMBER,
    )


async def test_the_event_of_an_employment_opens_the_account_once_however_often_it_comes(
    identity: Identity,
) -> None:
    signed_in = await make.member(identity)
    event = hired(signed_in.member_id)
    await hire(identity, event, times=3)
    last = hired(signed_in.member_id)
    await hire(identity, last)
    found = await accounts_of(identity, signed_in.member_id, 3)
    assert sorted(found) == sorted(
        [
            (signed_in.account_id, signed_in.account_id),
            (event.enterprise_id, event.account_id),
            (last.enterprise_id, last.account_id),
        ]
    )
    assert len(await make.published(identity, "account.opened", signed_in.member_id)) == 3


async def test_the_event_leaves_an_account_that_the_rpc_opened(identity: Identity) -> None:
    signed_in = await make.member(identity)
    account = await make.open_account(identity, signed_in.member_id)
    await hire(identity, hired(signed_in.member_id, account.tenant_id, account.id))
    await hire(identity, hired(signed_in.member_id))
    found = await accounts_of(identity, signed_in.member_id, 3)
    assert (account.tenant_id, account.id) in found
    assert len(found) == 3


async def test_a_poisonous_event_stops_only_itself(identity: Identity) -> None:
    signed_in, neighbour = await make.member(identity), await make.member(identity)
    account = await make.open_account(identity, neighbour.member_id)
    await hire(identity, hired(signed_in.member_id, account.tenant_id, account.id))
    await hire(identity, hired(new_id()))
    await hire(identity, hired(signed_in.member_id))
    assert len(await accounts_of(identity, signed_in.member_id, 2)) == 2
    letters = await make.rows(identity, "SELECT last_error FROM wrtn_dead_letters")
    assert all("AccountExists" in row.last_error or "MemberNotFound" in row.last_error for row in letters)
