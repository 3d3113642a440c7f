"""Spending authorized for real: events make the organisation known, reservations are asked for over gRPC."""

from __future__ import annotations

import asyncio
from datetime import UTC, timedelta
from decimal import Decimal

import grpc
import pytest

from chassis.testing.waiting import until
from tests.billing.office import MODEL, Office, refused, told
from tests.usage import NEW, tokens
from wrtn.access.v1.access_pb2 import Title
from wrtn.billing.v1 import budgets_pb2, spending_pb2
from wrtn.billing.v1.spending_pb2 import Reservation
from wrtn.enterprise.v1.events_pb2 import (
    CompanionRemoved,
    EmployeeDismissed,
    EmployeeHired,
    TeamArchived,
    TeamMoved,
    TeamRestored,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_spending_is_reserved_at_every_level_at_once(office: Office) -> None:
    whole = await office.budget("10")
    team = await office.budget("5", team_id=office.line[2])
    person = await office.budget("3", employee_id=office.person.employee_id)
    model = await office.budget("4", resource=f"model:{MODEL}")
    other = await office.budget("4", resource="model:anthropic/claude-opus-4")
    made = await office.spend("2.5")
    assert (made.state, made.amount, made.currency) == (Reservation.STATE_HELD, "2.5", "USD")
    assert made.attribution == office.person.attribution()
    for each, left in ((whole, "7.5"), (team, "2.5"), (person, "0.5"), (model, "1.5"), (other, "4")):
        assert (await office.read(each)).status.left == left


async def test_a_procedure_has_a_budget_beside_that_of_its_model(office: Office) -> None:
    procedure, other = str(NEW()), str(NEW())
    whole = await office.budget("10")
    own = await office.budget("2", resource=f"procedure:{procedure}")
    held = await office.spend("1.5", procedure_id=procedure)
    reason, metadata = await refused(office.spend("1", procedure_id=procedure))
    assert (reason, metadata["budget_id"], metadata["left"]) == ("BUDGET_EXCEEDED", own.id, "0.5")
    await office.spend("1", procedure_id=other)
    await office.spend("1")
    await office.use(250_000, held)
    statuses = [(await office.read(each)).status for each in (whole, own)]
    assert [(each.spent, each.reserved) for each in statuses] == [("0.5", "2"), ("0.5", "0")]
    # What nobody reserved counts for the procedure that its usage names, and for no other one.
    await office.use(500_000, procedure_id=procedure)
    await office.use(500_000, procedure_id=other)
    await office.use(500_000)
    assert [(await office.read(each)).status.spent for each in (whole, own)] == ["3.5", "1.5"]


async def test_the_refusal_names_the_level_what_is_left_and_when_it_resets(office: Office) -> None:
    await office.budget("10")
    team = await office.budget("5", team_id=office.line[2])
    await office.spend("4")
    reason, metadata = await refused(office.spend("1.01"))
    status = (await office.read(team)).status
    assert reason == "BUDGET_EXCEEDED"
    assert metadata == {
        "level": "team",
        "level_id": str(office.line[2]),
        "budget_id": team.id,
        "left": "1",
        "reset_time": status.reset_time.ToDatetime(UTC).isoformat(),
    }
    assert (status.reserved, status.left) == ("4", "1")
    assert (await office.spend("1")).state == Reservation.STATE_HELD


async def test_tokens_are_estimated_at_the_price_of_now(office: Office) -> None:
    await office.budget("10")
    assert (await office.spend(tokens(1_000_000, 0, 100_000))).amount == "2.8"


async def test_without_a_budget_everything_is_admitted(office: Office) -> None:
    assert (await office.spend("1000000")).state == Reservation.STATE_HELD


async def test_the_same_reservation_again_is_the_same_and_with_another_amount_a_conflict(
    office: Office,
) -> None:
    budget = await office.budget("10")
    first = await office.spend("4", reservation_id=(same := str(NEW())))
    again = await office.spend("4", reservation_id=same)
    assert again == first
    assert (await office.read(budget)).status.reserved == "4"
    reason, _ = await refused(office.spend("5", reservation_id=same))
    assert reason == "RESERVATION_CONFLICT"


async def test_the_same_reservation_many_times_at_once_is_one(office: Office) -> None:
    budget = await office.budget("10")
    same = str(NEW())
    made = await asyncio.gather(*(office.spend("1", reservation_id=same) for _ in range(20)))
    assert len({each.SerializeToString() for each in made}) == 1
    assert (await office.read(budget)).status.reserved == "1"


async def test_a_usage_settles_its_reservation_with_what_was_really_spent(office: Office) -> None:
    budget = await office.budget("10")
    made = await office.spend("4")
    await office.use(1_000_000, made)
    status = (await office.read(budget)).status
    assert (status.spent, status.reserved, status.left) == ("2", "0", "8")
    request = spending_pb2.GetReservationRequest(tenant_id=str(office.id), reservation_id=made.id)
    settled = await office.replica.spends.GetReservation(request, metadata=office.credential.metadata)
    assert (settled.state, settled.settled_amount) == (Reservation.STATE_SETTLED, "2")


async def test_a_usage_that_comes_twice_settles_once(office: Office) -> None:
    budget = await office.budget("10")
    await office.use(1_000_000, await office.spend("4"), times=3)
    assert (await office.read(budget)).status.spent == "2"


async def test_an_overshoot_is_recorded_whole_and_stops_the_next_call(office: Office) -> None:
    budget = await office.budget("3")
    await office.use(2_000_000, await office.spend("3"))
    status = (await office.read(budget)).status
    assert (status.spent, status.overshoot, status.left) == ("4", "1", "0")
    reason, metadata = await refused(office.spend("0"))
    assert (reason, metadata["left"]) == ("BUDGET_EXCEEDED", "0")


async def test_a_usage_without_reservation_counts_at_every_level(office: Office) -> None:
    budgets = [
        await office.budget("10"),
        await office.budget("9", team_id=office.line[1]),
        await office.budget("8", team_id=office.line[0], employee_id=office.person.employee_id),
        await office.budget("7", period=budgets_pb2.BUDGET_PERIOD_DAY),
    ]
    elsewhere = await office.budget("6", employee_id=office.person.employee_id, team_id=office.line[2])
    await office.use(500_000)
    assert [(await office.read(each)).status.spent for each in [*budgets, elsewhere]] == ["1"] * 5


async def test_a_released_reservation_gives_back_and_twice_is_once(office: Office) -> None:
    budget = await office.budget("10")
    made = await office.spend("4")
    request = spending_pb2.ReleaseReservationRequest(tenant_id=str(office.id), reservation_id=made.id)
    for _ in range(2):
        released = await office.replica.spends.ReleaseReservation(
            request, metadata=office.credential.metadata
        )
        assert released.state == Reservation.STATE_RELEASED
    assert (await office.read(budget)).status.reserved == "0"
    await office.use(1_000_000, made)
    status = (await office.read(budget)).status
    assert (status.spent, status.reserved) == ("2", "0")


async def test_a_reservation_is_extended_as_far_as_the_budget_goes(office: Office) -> None:
    budget = await office.budget("10")
    made = await office.spend("4")
    request = spending_pb2.ExtendReservationRequest(
        tenant_id=str(office.id),
        reservation_id=made.id,
        estimate=spending_pb2.SpendEstimate(amount="5"),
    )
    request.hold.FromTimedelta(timedelta(minutes=30))
    extend = office.replica.spends.ExtendReservation
    extended = await extend(request, metadata=office.credential.metadata)
    assert extended.amount == "9"
    assert extended.expire_time.seconds > made.expire_time.seconds + 1000
    reason, metadata = await refused(extend(request, metadata=office.credential.metadata))
    assert (reason, metadata["left"]) == ("BUDGET_EXCEEDED", "1")
    assert (await office.read(budget)).status.reserved == "9"
    await office.use(1_000_000, made)
    reason, _ = await refused(extend(request, metadata=office.credential.metadata))
    assert reason == "RESERVATION_ENDED"


async def test_who_is_unknown_or_in_no_such_team_spends_nothing(office: Office) -> None:
    budget = await office.budget("10")
    for more, expected in (
        ({"account_id": str(NEW())}, "ACCOUNT_NOT_FOUND"),
        ({"team_id": str(NEW())}, "TEAM_NOT_JOINED"),
        ({"team_id": str(office.line[1])}, "TEAM_NOT_JOINED"),
    ):
        reason, _ = await refused(office.spend("1", **more))
        assert reason == expected
    assert (await office.read(budget)).status.reserved == "0"


async def test_a_credential_of_another_tenant_finds_nothing(office: Office) -> None:
    made = await office.spend("1")
    foreign = office.callers.credential("sessions.record", tenant_id=NEW())
    spends = office.replica.spends
    reason, _ = await refused(spends.AuthorizeSpend(office.asking("1"), metadata=foreign.metadata))
    assert reason == "ACCOUNT_NOT_FOUND"
    get = spending_pb2.GetReservationRequest(tenant_id=str(office.id), reservation_id=made.id)
    release = spending_pb2.ReleaseReservationRequest(tenant_id=str(office.id), reservation_id=made.id)
    extend = spending_pb2.ExtendReservationRequest(tenant_id=str(office.id), reservation_id=made.id)
    for call in (
        spends.GetReservation(get, metadata=foreign.metadata),
        spends.ReleaseReservation(release, metadata=foreign.metadata),
        spends.ExtendReservation(extend, metadata=foreign.metadata),
    ):
        reason, _ = await refused(call)
        assert reason == "RESERVATION_NOT_FOUND"
    everywhere = office.callers.credential("sessions.record")
    assert await spends.AuthorizeSpend(office.asking("1"), metadata=everywhere.metadata)


async def test_thresholds_and_the_first_refusal_are_told_once_each(office: Office) -> None:
    await office.budget("4", thresholds=[50, 100])
    await office.use(500_000)
    await office.use(1_000_000)
    for _ in range(3):
        await refused(office.spend("2"))
    await office.use(500_000)
    notices = await office.rows("SELECT threshold FROM wrtn_budget_notices ORDER BY threshold")
    assert [row[0] for row in notices] == [Decimal(0), Decimal(50), Decimal(100)]


@pytest.mark.parametrize("amount", ["-1", "1e3", "", "NaN", "1." + "1" * 13, "1" * 16])
async def test_what_is_no_amount_is_refused(office: Office, amount: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await office.spend(amount)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_budget_set_in_the_middle_of_a_period_counts_what_was_spent_before(office: Office) -> None:
    await office.use(1_000_000)
    budget = await office.budget("10", team_id=office.line[2])
    assert budget.status.spent == "2"
    reason, metadata = await refused(office.budget("1.99", employee_id=office.person.employee_id))
    assert (reason, metadata["spent"]) == ("BUDGET_BELOW_SPENT", "2")


async def test_who_is_dismissed_or_leaves_the_team_spends_no_more_whatever_comes_late(
    office: Office,
) -> None:
    employee, member = str(office.person.employee_id), str(office.person.member_id)
    hired = EmployeeHired(
        employee_id=employee,
        member_id=member,
        account_id=str(office.person.account_id),
        title=Title.TITLE_MEMBER,
    )
    gone = EmployeeDismissed(employee_id=employee, member_id=member)
    who = office.person.employee_id or NEW()
    await office.tell("enterprise", (gone, who, 3), (hired, who, 2))
    await until(lambda: refuses(office, "ACCOUNT_NOT_FOUND"))
    await office.tell("enterprise", (hired, who, 4))
    await until(lambda: admits(office))
    left = CompanionRemoved(employee_id=employee, team_id=str(office.line[0]))
    await office.tell("enterprise", (left, NEW(), 2))
    await until(lambda: refuses(office, "TEAM_NOT_JOINED"))


async def admits(office: Office) -> bool:
    """Whether the employee may spend now."""
    return not await refuses(office, "ACCOUNT_NOT_FOUND")


async def refuses(office: Office, reason: str) -> bool:
    """Whether a spending is refused for this reason now."""
    try:
        await office.spend("1")
    except grpc.aio.AioRpcError as error:
        return told(error)[0] == reason
    return False


async def test_a_moved_team_leaves_its_past_with_the_old_parent(office: Office) -> None:
    low, middle, top = office.line
    old, new = await office.budget("10", team_id=middle), await office.budget("10", team_id=top)
    held = await office.spend("1")
    await office.use(1_000_000)
    moved = TeamMoved(team_id=str(low), old_ancestor_ids=[str(middle), str(top)], ancestor_ids=[str(top)])
    await office.tell("enterprise", (moved, low, 2))

    async def known() -> bool:
        return (await office.spend("0")).attribution.ancestor_team_ids == [str(top)]

    await until(known)
    # What was reserved before is settled where it was pinned; what comes now is the new parent's alone.
    await office.use(500_000, held)
    await office.spend("3")
    statuses = [(await office.read(each)).status for each in (old, new)]
    assert [(each.spent, each.reserved) for each in statuses] == [("3", "0"), ("3", "3")]


async def test_nothing_is_spent_in_an_archived_team_until_it_is_restored(office: Office) -> None:
    _, middle, top = office.line
    archived = TeamArchived(team_id=str(middle), parent_team_id=str(top))
    await office.tell("enterprise", (archived, middle, 2))
    await until(lambda: refuses(office, "TEAM_NOT_JOINED"))
    await office.tell("enterprise", (TeamRestored(team_id=str(middle), ancestor_ids=[str(top)]), middle, 3))

    async def open_again() -> bool:
        return not await refuses(office, "TEAM_NOT_JOINED")

    await until(open_again)
