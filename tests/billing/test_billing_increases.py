"""Requests for more budget over the real service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from chassis.database.roles import connect
from chassis.testing.callers import Known
from tests.billing.office import Office, refused
from tests.billing.purses import Purses
from wrtn.access.v1.access_pb2 import Role, Title
from wrtn.billing.v1 import budget_increases_pb2 as pb
from wrtn.billing.v1.budget_increases_pb2_grpc import BudgetIncreaseServiceStub
from wrtn.billing.v1.budgets_pb2 import Budget

pytestmark = pytest.mark.asyncio(loop_scope="module")
OPEN, APPROVED, REFUSED, WITHDRAWN = 1, 2, 3, 4


@dataclass
class World:
    """An office, an employee of it who asks, a chief of the team above theirs, and somebody else."""

    office: Office
    increases: Any
    asker: Known
    chief: Known
    other: Known

    def ahead(self, days: float = 7) -> datetime:
        """A time from now on."""
        return self.office.replica.running.runtime.clock.now() + timedelta(days=days)

    async def ask(
        self, budget: Budget, amount: str = "5", by: Known | None = None, days: float = 7
    ) -> pb.BudgetIncrease:
        request = pb.CreateBudgetIncreaseRequest(
            enterprise_id=str(self.office.id), budget_id=budget.id, amount=amount, reason="a busy week"
        )
        request.end_time.FromDatetime(self.ahead(days))
        return await self.increases.CreateBudgetIncrease(request, metadata=(by or self.asker).metadata)  # type: ignore[no-any-return]

    async def decide(
        self, made: pb.BudgetIncrease, by: Known, verb: str = "Approve", **more: Any
    ) -> pb.BudgetIncrease:
        kind = getattr(pb, f"{verb}BudgetIncreaseRequest")
        if verb != "Withdraw":
            more["reason"] = "as you wish"
        request = kind(enterprise_id=str(self.office.id), budget_increase_id=made.id, **more)
        return await getattr(self.increases, f"{verb}BudgetIncrease")(request, metadata=by.metadata)  # type: ignore[no-any-return]

    async def list(self, by: Known, **more: Any) -> list[str]:
        request = pb.ListBudgetIncreasesRequest(enterprise_id=str(self.office.id), **more)
        answer = await self.increases.ListBudgetIncreases(request, metadata=by.metadata)
        return [each.id for each in answer.budget_increases]

    async def get(self, made: pb.BudgetIncrease, by: Known) -> pb.BudgetIncrease:
        request = pb.GetBudgetIncreaseRequest(enterprise_id=str(self.office.id), budget_increase_id=made.id)
        return await self.increases.GetBudgetIncrease(request, metadata=by.metadata)  # type: ignore[no-any-return]


@pytest.fixture
def world(shared: Purses, office: Office) -> World:
    """An office of this test."""
    callers, (low, middle, _) = shared.callers, office.line
    asker = callers.employee(office.id, Title.TITLE_MEMBER, {low: Role.ROLE_CHIEF})
    chief = callers.employee(office.id, Title.TITLE_MEMBER, {middle: Role.ROLE_CHIEF})
    other = callers.employee(office.id, Title.TITLE_MEMBER)
    return World(office, BudgetIncreaseServiceStub(shared.channel), asker, chief, other)


async def test_an_approved_increase_counts_until_it_ends(world: World) -> None:
    office = world.office
    budget = await office.budget("10", team_id=office.line[0])
    made = await world.ask(budget)
    assert (made.state, made.amount, made.reason) == (OPEN, "5", "a busy week")
    await refused(office.spend("12"))
    decided = await world.decide(made, world.chief)
    assert (decided.state, decided.decision_reason) == (APPROVED, "as you wish")
    assert decided.decider_member_id == str(world.chief.member_id)
    status = (await office.read(budget)).status
    assert (status.extra, status.left) == ("5", "15")
    await office.spend("12")
    reason, metadata = await refused(office.spend("3.01"))
    assert (reason, metadata["left"]) == ("BUDGET_EXCEEDED", "3")
    with connect(office.database.urls.owner) as owner, owner.transaction():
        # Its time is over, without a job.
        owner.execute("SELECT set_config('wrtn.tenants', %s, false)", (f"{{{office.id}}}",))
        owner.execute("ALTER TABLE wrtn_budget_extras DISABLE TRIGGER USER")
        owner.execute("UPDATE wrtn_budget_extras SET end_time = start_time + interval '1 us'")
        owner.execute("ALTER TABLE wrtn_budget_extras ENABLE TRIGGER USER")
    status = (await office.read(budget)).status
    assert (status.extra, status.reserved, status.left) == ("0", "12", "0")
    await refused(office.spend("0"))


async def test_less_and_shorter_may_be_approved_and_nothing_is_decided_twice(world: World) -> None:
    budget = await world.office.budget("10", team_id=world.office.line[0])
    made = await world.ask(budget)
    decided = await world.decide(made, world.chief, amount="2")
    assert decided.amount == "2"
    assert (await world.office.read(budget)).status.extra == "2"
    for verb, by in (("Approve", world.chief), ("Refuse", world.office.owner), ("Withdraw", world.asker)):
        reason, _ = await refused(world.decide(made, by, verb))
        assert reason == "BUDGET_INCREASE_CLOSED"


async def test_a_refused_or_withdrawn_one_adds_nothing_and_another_may_be_asked_for(world: World) -> None:
    budget = await world.office.budget("10", team_id=world.office.line[0])
    first = await world.ask(budget)
    reason, _ = await refused(world.ask(budget))
    assert reason == "BUDGET_INCREASE_OPEN"
    assert (await world.decide(first, world.chief, "Refuse")).state == REFUSED
    second = await world.ask(budget)
    reason, _ = await refused(world.decide(second, world.chief, "Withdraw"))
    assert reason == "BUDGET_INCREASE_NOT_FOUND"
    assert (await world.decide(second, world.asker, "Withdraw")).state == WITHDRAWN
    assert (await world.office.read(budget)).status.extra == "0"
    assert not await world.office.rows("SELECT 1 FROM wrtn_budget_extras")


async def test_only_who_may_set_the_budget_decides_and_nobody_their_own(world: World) -> None:
    office = world.office
    budget = await office.budget("10", team_id=office.line[0])
    made = await world.ask(budget)
    own = await world.ask(budget, by=office.owner)
    for by, increase, expected in (
        (world.asker, made, "BUDGET_NOT_YOURS"),
        (office.owner, own, "BUDGET_NOT_YOURS"),
        (world.other, made, "BUDGET_INCREASE_NOT_FOUND"),
    ):
        reason, _ = await refused(world.decide(increase, by))
        assert reason == expected
    reason, _ = await refused(world.ask(budget, by=world.other))
    assert reason == "BUDGET_NOT_FOUND"
    assert (await world.decide(own, world.chief)).state == APPROVED


async def test_what_is_approved_stays_within_the_budget_above(world: World) -> None:
    office = world.office
    low, middle, _ = office.line
    above = await office.budget("12", team_id=middle)
    budget = await office.budget("10", team_id=low)
    made = await world.ask(budget)
    reason, metadata = await refused(world.decide(made, world.chief))
    assert (reason, metadata["left"]) == ("BUDGET_ABOVE_PARENT", "2")
    short = await world.ask(above, "5", world.chief, days=3)
    await world.decide(short, office.owner)
    # The one above ends earlier: until then alone is there room.
    reason, _ = await refused(world.decide(made, world.chief))
    assert reason == "BUDGET_ABOVE_PARENT"
    assert (await world.decide(made, world.chief, end_time=short.end_time)).state == APPROVED


async def test_what_was_added_below_keeps_the_budget_above_from_being_lowered(world: World) -> None:
    office = world.office
    low, middle, _ = office.line
    above = await office.budget("20", team_id=middle)
    made = await world.ask(await office.budget("10", team_id=low))
    await world.decide(made, world.chief)
    reason, metadata = await refused(office.change(above, amount="12"))
    assert (reason, metadata["least"]) == ("BUDGET_ABOVE_PARENT", "15")
    assert (await office.change(above, amount="15")).amount == "15"


async def test_increases_are_seen_by_who_asks_and_who_decides(world: World) -> None:
    office = world.office
    budget = await office.budget("10", team_id=office.line[0])
    made = await world.ask(budget)
    assert await world.list(world.asker) == [made.id]
    assert await world.list(office.owner, state=OPEN) == [made.id]
    assert await world.list(world.chief, budget_id=budget.id) == [made.id]
    assert await world.list(world.chief) == await world.list(world.other, budget_id=budget.id) == []
    for by in (world.asker, world.chief, office.owner):
        assert (await world.get(made, by)).reason == "a busy week"
    reason, _ = await refused(world.get(made, world.other))
    assert reason == "BUDGET_INCREASE_NOT_FOUND"


@pytest.mark.parametrize(
    ("amount", "days", "expected"),
    [("0", 7, "AMOUNT_INVALID"), ("5", -1, "TIME_RANGE_INVALID"), ("5", 400, "TIME_RANGE_INVALID")],
)
async def test_what_is_no_increase_is_refused(world: World, amount: str, days: float, expected: str) -> None:
    budget = await world.office.budget("10", team_id=world.office.line[0])
    reason, _ = await refused(world.ask(budget, amount, days=days))
    assert reason == expected


async def test_what_was_approved_is_never_altered(world: World) -> None:
    budget = await world.office.budget("10", team_id=world.office.line[0])
    await world.decide(await world.ask(budget), world.chief)
    with (
        connect(world.office.database.urls.owner) as owner,
        pytest.raises(psycopg.errors.RestrictViolation),
    ):
        owner.execute("UPDATE wrtn_budget_extras SET amount = 1")


async def test_who_decides_and_who_asked_are_written_to(world: World) -> None:
    budget = await world.office.budget("10", team_id=world.office.line[0])
    await world.decide(await world.ask(budget), world.chief)
    letters = await world.office.rows("SELECT template, member_id FROM wrtn_letters")
    # Billing knows of no owner nor chief by events here: only the requester is written to.
    assert letters == [("budget_request_decided", UUID(str(world.asker.member_id)))]
