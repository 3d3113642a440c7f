"""Costs asked for over gRPC: of an enterprise, a team or an account, by those who may."""

from __future__ import annotations

from datetime import UTC, datetime

import grpc
import pytest

from tests.billing.costing import Costing
from tests.billing.make import of_day
from tests.usage import NEW, Person, holding, tokens, usage
from wrtn.access.v1.access_pb2 import Role, Title
from wrtn.billing.v1 import costs_pb2

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def refused(code: grpc.StatusCode, call: object) -> str:
    """Answers the details of the refusal."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call  # type: ignore[misc]
    assert error.value.code() is code
    return error.value.details() or ""


async def test_managers_ask_for_any_account_of_their_enterprise_and_members_for_their_own(
    costing: Costing,
) -> None:
    enterprise = NEW()
    manager = costing.callers.employee(enterprise, Title.TITLE_MANAGER)
    member = costing.callers.employee(enterprise, Title.TITLE_MEMBER)
    gone, stranger = Person(enterprise), Person(NEW())
    mine = holding(costing.callers, member)
    await costing.used(usage(mine), usage(gone), usage(stranger))
    for known, account in (
        (member, member.account_id),
        (manager, member.account_id),
        (manager, gone.account_id),
        (manager, manager.account_id),
    ):
        answer = await costing.of_account(known, account)
        assert answer.total.usage_count == (account != manager.account_id)
    foreign = [
        await refused(grpc.StatusCode.NOT_FOUND, costing.of_account(known, account))
        for known, account in (
            (member, manager.account_id),
            (member, gone.account_id),
            (member, NEW()),
            (manager, stranger.account_id),
            (manager, NEW()),
        )
    ]
    assert len(set(foreign)) == 1


async def test_what_was_used_before_a_transfer_stays_with_who_held_the_account(costing: Costing) -> None:
    enterprise, team = NEW(), NEW()
    owner = costing.callers.employee(enterprise, Title.TITLE_OWNER)
    manager = costing.callers.employee(enterprise, Title.TITLE_MANAGER)
    old = costing.callers.employee(enterprise, Title.TITLE_MEMBER)
    new = costing.callers.employee(enterprise, Title.TITLE_MEMBER)
    account = NEW()
    heir = costing.callers.inherited(new, account)
    before = [
        usage(holding(costing.callers, old, account, team), tokens(1000, 0, 0), at=of_day(n)) for n in (3, 4)
    ]
    after = usage(holding(costing.callers, new, account, team), tokens(500, 0, 0), at=of_day(4, 13))
    apart = usage(holding(costing.callers, old), tokens(4000, 0, 0))
    await costing.used(*before, after, apart, times=3)
    # The account is the new holder's, and its past is not.
    assert (await costing.of_account(heir, account)).total.cost == "0.001"
    assert (await costing.of_account(old, account)).total.cost == "0.004"
    by_member = costs_pb2.COST_GROUP_MEMBER
    assert [row.key for row in (await costing.of_account(heir, account, by_member)).rows] == [
        str(new.member_id)
    ]
    for known in (manager, owner):
        answer = await costing.of_account(known, account, by_member)
        assert answer.total.cost == "0.005"
        assert {row.key: row.cost for row in answer.rows} == {
            str(old.member_id): "0.004",
            str(new.member_id): "0.001",
        }
    # Person, team, enterprise and ledger are one and the same.
    whole = await costing.query(owner, by_member)
    assert {row.key: row.cost for row in whole.rows} == {
        str(old.member_id): "0.012",
        str(new.member_id): "0.001",
    }
    teams = await costing.query(owner, costs_pb2.COST_GROUP_TEAM)
    assert [(row.key, row.cost) for row in teams.rows] == [(str(team), "0.005")]
    assert whole.total.cost == "0.013"
    request = costs_pb2.ListLedgerEntriesRequest(enterprise_id=str(enterprise), page_size=200)
    ledger = await costing.costs.ListLedgerEntries(request, metadata=owner.metadata)
    owed = [entry.balance for entry in ledger.ledger_entries if entry.ledger_account == "receivable"]
    assert owed[-1] == "0.013"


async def test_who_gave_a_personal_account_away_sees_their_own_time_and_the_new_holder_theirs(
    costing: Costing,
) -> None:
    old, new, stranger = (costing.callers.member() for _ in range(3))
    account = NEW()
    for known, used in ((old, 1000), (new, 3000)):
        person = Person(account, account_id=account, member_id=known.member_id, employee_id=None)
        await costing.used(usage(person, tokens(used, 0, 0)))
    assert (await costing.of_account(old, account)).total.cost == "0.002"
    assert (await costing.of_account(costing.callers.inherited(new, account), account)).total.cost == "0.006"
    await refused(grpc.StatusCode.NOT_FOUND, costing.of_account(stranger, account))


async def test_who_works_there_no_more_sees_nothing_of_the_enterprise(costing: Costing) -> None:
    enterprise = NEW()
    gone, elsewhere = costing.callers.employee(enterprise, Title.TITLE_MEMBER), costing.callers.member()
    person = Person(enterprise, account_id=gone.account_id, member_id=elsewhere.member_id)
    await costing.used(usage(person))
    await refused(grpc.StatusCode.NOT_FOUND, costing.of_account(elsewhere, gone.account_id))


async def test_the_costs_of_a_personal_account_are_its_holders(costing: Costing) -> None:
    known = costing.callers.member()
    await costing.used(usage(holding(costing.callers, known), tokens(1000, 0, 0)))
    assert (await costing.of_account(known, known.account_id)).total.cost == "0.002"
    other = costing.callers.member()
    await refused(grpc.StatusCode.NOT_FOUND, costing.of_account(other, known.account_id))


async def test_a_team_manager_sees_the_team_and_what_lies_below_and_no_other(costing: Costing) -> None:
    enterprise = NEW()
    top = costing.callers.team(enterprise)
    low = costing.callers.team(enterprise, top)
    other = costing.callers.team(enterprise)
    chief = costing.callers.employee(enterprise, Title.TITLE_MEMBER, {top: Role.ROLE_MANAGER})
    await costing.used(usage(Person(enterprise, (low, top))), usage(Person(enterprise, (other,))))
    assert (await costing.query(chief, team=top)).total.usage_count == 1
    below = await costing.query(chief, costs_pb2.COST_GROUP_TEAM, team=low)
    assert [row.key for row in below.rows] == [str(low)]
    await refused(grpc.StatusCode.PERMISSION_DENIED, costing.query(chief, team=other))
    await refused(grpc.StatusCode.PERMISSION_DENIED, costing.query(chief))


async def test_a_team_that_never_was_is_not_found_and_one_that_is_gone_is(costing: Costing) -> None:
    enterprise, gone = NEW(), NEW()
    owner = costing.callers.employee(enterprise, Title.TITLE_OWNER)
    unused = costing.callers.team(enterprise)
    await costing.used(usage(Person(enterprise, (gone,))), usage(Person(NEW(), (foreign := NEW(),))))
    assert (await costing.query(owner, team=gone)).total.usage_count == 1
    assert (await costing.query(owner, team=unused)).total.usage_count == 0
    for team in (foreign, NEW()):
        assert await refused(grpc.StatusCode.NOT_FOUND, costing.query(owner, team=team))


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (of_day(5), of_day(5)),
        (of_day(6), of_day(5)),
        (datetime.max.replace(tzinfo=UTC), None),
        (None, datetime.min.replace(tzinfo=UTC)),
    ],
)
async def test_times_that_are_no_range_are_refused(
    costing: Costing, start: datetime | None, end: datetime | None
) -> None:
    owner = costing.callers.employee(NEW(), Title.TITLE_OWNER)
    request = costs_pb2.QueryCostsRequest(enterprise_id=str(owner.enterprise_id))
    if start:
        request.start_time.FromDatetime(start)
    if end:
        request.end_time.FromDatetime(end)
    await refused(
        grpc.StatusCode.INVALID_ARGUMENT, costing.costs.QueryCosts(request, metadata=owner.metadata)
    )
