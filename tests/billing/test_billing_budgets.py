"""Budgets set, seen, changed and lifted, by everybody who may and by those who may not."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import psycopg.errors
import pytest

from chassis.database import Scope
from chassis.testing.callers import Known
from tests.billing.office import Office, found, refused, stubs
from tests.billing.purses import Purses
from tests.usage import NEW
from wrtn.access.v1.access_pb2 import Duty, Role, Title
from wrtn.billing.v1 import budgets_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")
OK, DENIED = grpc.StatusCode.OK, grpc.StatusCode.PERMISSION_DENIED


async def code_of(call: Any) -> grpc.StatusCode:
    """Answers how a call ended."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return OK


async def archive(office: Office, budget: pb.Budget, by: Known | None = None) -> pb.Budget:
    request = pb.ArchiveBudgetRequest(enterprise_id=str(office.id), budget_id=budget.id, reason="Not needed.")
    return await office.replica.budgets.ArchiveBudget(request, metadata=(by or office.owner).metadata)


async def test_a_month_begins_at_midnight_where_the_enterprise_is(shared: Purses) -> None:
    office = await found(
        stubs(shared.running, shared.channel), shared.database, shared.callers, zone="Asia/Seoul"
    )
    status = (await office.budget("10")).status
    assert (status.start_time.ToDatetime().hour, status.start_time.ToDatetime().minute) == (15, 0)
    assert status.reset_time.seconds - status.start_time.seconds >= 28 * 86400


async def test_who_may_set_which_budget(office: Office) -> None:
    low, middle, top = office.line
    callers, enterprise, employee = office.callers, office.id, office.person.employee_id
    billing = callers.employee(enterprise, Title.TITLE_MANAGER, duties=[Duty.DUTY_BILLING])
    manager = callers.employee(enterprise, Title.TITLE_MANAGER)
    chief_top = callers.employee(enterprise, Title.TITLE_MEMBER, {top: Role.ROLE_CHIEF})
    chief_low = callers.employee(enterprise, Title.TITLE_MEMBER, {low: Role.ROLE_CHIEF})
    team_manager = callers.employee(enterprise, Title.TITLE_MEMBER, {top: Role.ROLE_MANAGER})
    targets: list[dict[str, Any]] = [
        {},
        {"team_id": top},
        {"team_id": middle},
        {"team_id": low},
        {"employee_id": employee},
        {"team_id": low, "employee_id": employee},
    ]
    may = {
        "owner": (office.owner, [True] * 6),
        "billing": (billing, [True] * 6),
        "manager": (manager, [False] * 6),
        "chief of the top team": (chief_top, [False, False, True, True, False, True]),
        "chief of the lowest team": (chief_low, [False, False, False, False, False, True]),
        "manager of the top team": (team_manager, [False] * 6),
    }
    for name, (by, expected) in may.items():
        resource = f"model:test/{name.replace(' ', '-')}"
        made = [await code_of(office.budget("1", by=by, resource=resource, **each)) for each in targets]
        assert [OK if each else DENIED for each in expected] == made, name


async def test_who_sees_which_budget(office: Office) -> None:
    low, middle, top = office.line
    callers, enterprise = office.callers, office.id
    budgets = [
        await office.budget("9"),
        await office.budget("8", team_id=top),
        await office.budget("7", team_id=low),
        await office.budget("6", employee_id=office.person.employee_id),
    ]
    manager = callers.employee(enterprise, Title.TITLE_MANAGER)
    chief = callers.employee(enterprise, Title.TITLE_MEMBER, {middle: Role.ROLE_CHIEF})
    member = callers.employee(enterprise, Title.TITLE_MEMBER, {low: Role.ROLE_MEMBER})
    nobody = callers.employee(enterprise, Title.TITLE_MEMBER)
    foreign = callers.employee(NEW(), Title.TITLE_OWNER)
    for by, expected in (
        (manager, [True, True, True, True]),
        (chief, [True, False, True, False]),
        (member, [True, False, True, False]),
        (nobody, [True, False, False, False]),
        (foreign, [False, False, False, False]),
    ):
        seen = [await code_of(office.read(budget, by)) for budget in budgets]
        assert seen == [OK if each else grpc.StatusCode.NOT_FOUND for each in expected]


async def test_a_target_has_one_budget_for_a_resource_and_period(office: Office) -> None:
    outcomes = await asyncio.gather(*(office.budget("10") for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(each, pb.Budget) for each in outcomes) == 1
    reason, _ = await refused(office.budget("11"))
    assert reason == "BUDGET_EXISTS"
    assert await office.budget("11", period=pb.BUDGET_PERIOD_DAY)
    assert await office.budget("11", resource="model:openai/gpt-4.1")


@pytest.mark.parametrize(
    ("target", "reason"),
    [({"team_id": NEW()}, "TEAM_NOT_FOUND"), ({"employee_id": NEW()}, "EMPLOYEE_NOT_FOUND")],
)
async def test_an_unknown_target_is_not_found(office: Office, target: dict[str, Any], reason: str) -> None:
    assert (await refused(office.budget("10", **target)))[0] == reason


async def test_the_budgets_below_never_exceed_the_one_above(office: Office) -> None:
    low, middle, top = office.line
    whole = await office.budget("10")
    above = await office.budget("8", team_id=top)
    reason, metadata = await refused(office.budget("8.01", team_id=middle))
    assert (reason, metadata["left"]) == ("BUDGET_ABOVE_PARENT", "8")
    # The lowest stands under the nearest that is limited, and with a budget between under that.
    await office.budget("5", team_id=low)
    between = await office.budget("6", team_id=middle)
    assert (await refused(office.change(between, amount="4")))[0] == "BUDGET_ABOVE_PARENT"
    assert (await refused(office.change(above, amount="5.5")))[0] == "BUDGET_ABOVE_PARENT"
    assert (await refused(office.change(whole, amount="7.9")))[0] == "BUDGET_ABOVE_PARENT"
    above = await office.change(above, amount="10")
    assert (await refused(office.change(above, amount="10.1")))[0] == "BUDGET_ABOVE_PARENT"


async def test_nobodys_budget_exceeds_the_one_of_their_team_or_of_the_enterprise(office: Office) -> None:
    low, middle, _ = office.line
    whole, above = await office.budget("20"), await office.budget("8", team_id=middle)
    person = office.person.employee_id
    reason, metadata = await refused(office.budget("8.01", employee_id=person, team_id=low))
    assert (reason, metadata["left"]) == ("BUDGET_ABOVE_PARENT", "8")
    reason, metadata = await refused(office.budget("20.01", employee_id=person))
    assert (reason, metadata["left"]) == ("BUDGET_ABOVE_PARENT", "20")
    # Caps of people are no shares: two may have all that their team has.
    mine = await office.budget("8", employee_id=person, team_id=low)
    assert (await refused(office.change(mine, amount="8.5")))[0] == "BUDGET_ABOVE_PARENT"
    assert await office.budget("8", employee_id=person, team_id=middle)
    assert (await office.change(above, amount="7")).amount == "7"
    assert (await office.change(whole, amount="7")).amount == "7"


async def test_a_limit_below_what_is_spent_and_reserved_is_refused(office: Office) -> None:
    budget = await office.budget("10")
    await office.use(1_000_000)
    await office.spend("3")
    reason, metadata = await refused(office.change(budget, amount="4.99"))
    assert (reason, metadata) == ("BUDGET_BELOW_SPENT", {"spent": "2", "reserved": "3"})
    assert (await office.change(budget, amount="5")).status.left == "0"


async def test_a_stale_etag_changes_nothing(office: Office) -> None:
    budget = await office.budget("10")
    changed = await office.change(budget, amount="20")
    assert changed.etag != budget.etag
    assert (await refused(office.change(budget, amount="30")))[0] == "ETAG_MISMATCH"
    assert (await office.read(budget)).amount == "20"


async def test_a_lifted_budget_stops_nothing_and_makes_room_for_another(office: Office) -> None:
    budget = await office.budget("1")
    await refused(office.spend("2"))
    for _ in range(2):
        assert (await archive(office, budget)).HasField("archive_time")
    assert await office.spend("2")
    assert await office.budget("5")


async def test_every_change_is_kept_with_who_and_why_and_cannot_be_altered(office: Office) -> None:
    budget = await office.budget("10", reason="A first guess.")
    await office.change(budget, amount="20", thresholds=[80, 50])
    await archive(office, budget)
    request = pb.ListBudgetChangesRequest(enterprise_id=str(office.id), budget_id=budget.id, page_size=2)
    listing = office.replica.budgets.ListBudgetChanges
    first = await listing(request, metadata=office.owner.metadata)
    request.page_token = first.next_page_token
    second = await listing(request, metadata=office.owner.metadata)
    changes = [*first.changes, *second.changes]
    assert [(each.sequence, each.after.amount, each.reason) for each in changes] == [
        (3, "20", "Not needed."),
        (2, "20", ""),
        (1, "10", "A first guess."),
    ]
    assert list(changes[1].after.thresholds) == [50, 80]
    assert changes[0].after.HasField("archive_time")
    assert {each.decider_member_id for each in changes} == {str(office.owner.member_id)}
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with office.database.app.transaction(Scope.of(office.id)) as tx:
            await (await tx.driver()).execute("UPDATE wrtn_budget_changes SET amount = 0")


async def test_budgets_are_listed_page_by_page_for_the_enterprise_and_for_a_team(office: Office) -> None:
    low, _, top = office.line
    made = [
        await office.budget("9"),
        await office.budget("8", team_id=top),
        await office.budget("7", team_id=low),
    ]
    request = pb.ListBudgetsRequest(enterprise_id=str(office.id), page_size=2)
    listing = office.replica.budgets.ListBudgets
    first = await listing(request, metadata=office.owner.metadata)
    request.page_token = first.next_page_token
    second = await listing(request, metadata=office.owner.metadata)
    assert [each.id for each in (*first.budgets, *second.budgets)] == [each.id for each in made]
    assert not second.next_page_token
    chief = office.callers.employee(office.id, Title.TITLE_MEMBER, {top: Role.ROLE_CHIEF})
    request = pb.ListBudgetsRequest(enterprise_id=str(office.id), team_id=str(top))
    page = await listing(request, metadata=chief.metadata)
    assert [each.id for each in page.budgets] == [made[1].id, made[2].id]
    request.ClearField("team_id")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await listing(request, metadata=chief.metadata)
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
