"""What plans let be spent: models, credits, and nothing while a subscription is halted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from chassis.database import Scope
from chassis.testing.callers import Known
from chassis.testing.waiting import until
from services.billing.plans import included
from services.billing.plans.plan_presets import PRESETS
from tests.billing.office import MODEL, Office, refused
from tests.billing.purses import Purses
from wrtn.billing.v1 import plans_pb2, subscriptions_pb2
from wrtn.billing.v1.plans_pb2 import PlanTerms
from wrtn.billing.v1.plans_pb2_grpc import PlanServiceStub
from wrtn.billing.v1.subscriptions_pb2_grpc import SubscriptionServiceStub
from wrtn.enterprise.v1.events_pb2 import EnterpriseUpdated

pytestmark = pytest.mark.asyncio(loop_scope="module")
FREE = str(PRESETS["free"][0])


@dataclass
class World:
    """An office, and who subscribes it."""

    office: Office
    plans: Any
    subscriptions: Any
    administrator: Known

    async def do(self, verb: str, **more: Any) -> None:
        """Does something to the subscription, as its owner."""
        kind = getattr(subscriptions_pb2, f"{verb}SubscriptionRequest")
        request = kind(enterprise_id=str(self.office.id), **more)
        call = getattr(self.subscriptions, f"{verb}Subscription")
        await call(request, metadata=self.administrator.metadata)

    async def plan(self, key: str, *models: str, credits_: str = "0") -> str:
        """Creates a plan; answers its id."""
        price = plans_pb2.PlanPrice(currency="USD", fee="0", seat_fee="0", included_credits=credits_)
        terms = PlanTerms(
            display_name=key,
            interval=PlanTerms.INTERVAL_MONTH,
            prices=[price],
            allowed_models=models,
            overage_allowed=True,
        )
        request = plans_pb2.CreatePlanRequest(plan=plans_pb2.Plan(key=key, terms=terms))
        made = await self.plans.CreatePlan(request, metadata=self.administrator.metadata)
        return str(made.id)


@pytest.fixture
def world(shared: Purses, office: Office) -> World:
    """An office of this test."""
    plans, subscriptions = PlanServiceStub(shared.channel), SubscriptionServiceStub(shared.channel)
    return World(office, plans, subscriptions, shared.admin)


async def test_a_plan_lets_its_models_be_called_and_none_while_it_is_halted(world: World) -> None:
    office = world.office
    await office.spend("1")
    some, vendor = await world.plan("some", "openai/gpt-4o"), await world.plan("vendor", "openai/*")
    await world.do("Start", plan_id=some)
    reason, told = await refused(office.spend("1"))
    assert (reason, told["level"], told["level_id"]) == ("MODEL_NOT_IN_PLAN", "plan", some)
    await office.spend("1", model="openai/gpt-4o")
    await world.do("Change", plan_id=vendor)
    await office.spend("1")
    assert (await refused(office.spend("1", model="openaix/gpt")))[0] == "MODEL_NOT_IN_PLAN"
    await world.do("Pause")
    assert (await refused(office.spend("1")))[0] == "SUBSCRIPTION_HALTED"
    await world.do("Resume")
    await office.spend("1")
    assert await office.rows("SELECT count(*) FROM wrtn_reservations") == [(4,)]


async def test_a_plan_without_overage_is_limited_by_its_credits_which_come_once_a_month(
    world: World,
) -> None:
    office = world.office
    await world.do("Start", plan_id=FREE)
    await office.spend("3")
    reason, told = await refused(office.spend("2.01"))
    assert (reason, told["level"], told["left"]) == ("WALLET_EXCEEDED", "wallet", "2")
    more = await world.plan("more", credits_="50")
    for plan in (more, FREE):
        await world.do("Change", plan_id=plan)
    runtime = office.replica.running.runtime
    async with runtime.db.transaction(Scope.of(office.id)) as tx:
        await included.give(tx, office.id)
    assert await office.rows("SELECT kind, amount, priority FROM wrtn_wallet_lots") == [("GRANT", 5, 10)]
    assert (await refused(office.spend("2.01")))[0] == "WALLET_EXCEEDED"
    await world.do("Change", plan_id=more)
    await office.spend("100", model=MODEL)


async def test_a_changed_time_zone_is_known(world: World) -> None:
    fact = EnterpriseUpdated(enterprise_id=str(world.office.id), time_zone="Asia/Seoul", locale="ko")
    await world.office.tell("enterprise", (fact, world.office.id, 2))

    async def known() -> bool:
        return await world.office.rows("SELECT time_zone FROM wrtn_known_enterprises") == [("Asia/Seoul",)]

    await until(known)
