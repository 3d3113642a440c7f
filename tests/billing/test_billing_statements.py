"""Statements of wallets: they add up between any two times, and each holder sees their own time."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from chassis.testing.callers import Known
from tests.billing.office import refused
from tests.billing.purses import Purses
from tests.usage import NEW, Person, holding
from wrtn.billing.v1 import spending_pb2
from wrtn.billing.v1 import wallets_pb2 as pb
from wrtn.billing.v1.spending_pb2_grpc import SpendServiceStub
from wrtn.identity.v1.events_pb2 import AccountTransferred

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def stated(
    shared: Purses,
    known: Known,
    wallet_id: object,
    start: datetime | None = None,
    end: datetime | None = None,
) -> tuple[pb.WalletStatement, list[pb.WalletEntry]]:
    """Answers the first page of a statement, and the entries of all, two by two; checks that it adds up."""
    first: pb.WalletStatement | None = None
    entries: list[pb.WalletEntry] = []
    token = ""
    while True:
        request = pb.GetWalletStatementRequest(wallet_id=str(wallet_id), page_size=2, page_token=token)
        if start is not None:
            request.start_time.FromDatetime(start)
        if end is not None:
            request.end_time.FromDatetime(end)
        page = await shared.wallets.GetWalletStatement(request, metadata=known.metadata)
        entries += page.entries
        first = first or page
        assert (page.opening_balance, page.closing_balance) == (first.opening_balance, first.closing_balance)
        token = page.next_page_token
        if not token:
            break
    moved = sum((Decimal(each.amount) for each in entries), Decimal(0))
    assert Decimal(first.opening_balance) + moved == Decimal(first.closing_balance)
    return first, entries


async def test_a_statement_between_any_two_times_adds_up(shared: Purses) -> None:
    owner = await shared.enterprise()
    tenant_id = owner.enterprise_id
    await shared.bought(tenant_id, "10")
    await shared.used(Person(tenant_id), 3)
    await shared.bonus(tenant_id, "5")
    await shared.used(Person(tenant_id), 4)
    await shared.bought(tenant_id, "1.25")
    whole, entries = await stated(shared, owner, tenant_id)
    assert (whole.opening_balance, whole.closing_balance, whole.currency) == ("0", "9.25", "USD")
    kinds = ["purchase", "usage", "bonus", "usage", "purchase"]
    assert [each.kind for each in entries] == kinds
    assert [each.amount for each in entries] == ["10", "-3", "5", "-4", "1.25"]
    assert [each.balance for each in entries] == ["10", "7", "12", "8", "9.25"]
    times = [each.create_time.ToDatetime(UTC) for each in entries]
    for first in range(5):
        for last in range(first + 1, 5):
            part, between = await stated(shared, owner, tenant_id, times[first], times[last])
            assert [each.id for each in between] == [each.id for each in entries[first:last]]
            assert part.closing_balance == entries[last - 1].balance
    with_end = await refused(stated(shared, owner, tenant_id, times[3], times[1]))
    assert with_end[0] == "TIME_RANGE_INVALID"


async def test_what_comes_while_pages_are_read_is_on_none_of_them(shared: Purses) -> None:
    owner = await shared.enterprise()
    for _ in range(3):
        await shared.bonus(owner.enterprise_id, "1")
    request = pb.GetWalletStatementRequest(wallet_id=str(owner.enterprise_id), page_size=2)
    first = await shared.wallets.GetWalletStatement(request, metadata=owner.metadata)
    await shared.bonus(owner.enterprise_id, "100")
    request.page_token = first.next_page_token
    second = await shared.wallets.GetWalletStatement(request, metadata=owner.metadata)
    assert [each.balance for each in second.entries] == ["3"]
    assert (second.closing_balance, second.end_time, second.next_page_token) == ("3", first.end_time, "")


async def test_the_wallet_goes_with_a_personal_account_and_each_holder_sees_their_own_time(
    shared: Purses,
) -> None:
    old, new = await shared.person(), await shared.person()
    account = old.account_id
    await shared.bonus(account, "10")
    await shared.used(holding(shared.callers, old), 4)
    assert (await shared.shown(old)).balance == "6"
    moment = await handed_over(shared, old, new)
    heir = shared.callers.inherited(new, account)
    # The old holder acts by another account now.
    gone = shared.callers.inherited(old, NEW())
    await shared.bonus(account, "5")
    assert (await shared.shown(heir, account)).balance == "11"
    await spends(shared, heir, account)
    await shared.used(Person(account, (), account, new.member_id, None), 2)
    mine, entries = await stated(shared, heir, account)
    assert (mine.opening_balance, mine.closing_balance) == ("6", "9")
    assert [each.amount for each in entries] == ["5", "-2"]
    theirs, entries = await stated(shared, gone, account)
    assert (theirs.opening_balance, theirs.closing_balance) == ("0", "6")
    assert [each.amount for each in entries] == ["10", "-4"]
    assert theirs.end_time.ToDatetime(UTC) == moment
    assert (await refused(shared.shown(gone, account)))[0] == "WALLET_NOT_FOUND"
    assert (await refused(stated(shared, gone, account, moment)))[0] == "WALLET_NOT_FOUND"
    stranger = shared.callers.member()
    assert (await refused(stated(shared, stranger, account)))[0] == "WALLET_NOT_FOUND"
    whole, entries = await stated(shared, shared.admin, account)
    assert (whole.closing_balance, len(entries)) == ("9", 4)


async def handed_over(shared: Purses, old: Known, new: Known) -> datetime:
    """Has identity tell that an account has a new holder; answers from when on."""
    account = old.account_id
    fact = AccountTransferred(
        account_id=str(account),
        tenant_id=str(account),
        old_holder_member_id=str(old.member_id),
        new_holder_member_id=str(new.member_id),
    )
    moment = shared.running.runtime.clock.now()
    await shared.tell("identity", account, fact, account, 2, moment)
    await shared.appears("wrtn_account_tenures", account, times=2)
    return moment


async def spends(shared: Purses, heir: Known, account: object) -> None:
    """Has the new holder spend from the wallet."""
    credential = shared.callers.credential("sessions.record")
    request = spending_pb2.AuthorizeSpendRequest(
        reservation_id=str(NEW()),
        tenant_id=str(account),
        account_id=str(account),
        model="openai/gpt-4.1",
        estimate=spending_pb2.SpendEstimate(amount="1"),
    )
    async with shared.running.channel() as channel:
        made = await SpendServiceStub(channel).AuthorizeSpend(request, metadata=credential.metadata)
    assert made.attribution.member_id == str(heir.member_id)
    assert (await shared.shown(heir, heir.account_id)).reserved == "1"
