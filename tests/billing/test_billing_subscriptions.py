"""Plans and subscriptions over the real service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from chassis.testing.callers import Callers, Known
from chassis.testing.databases import DatabaseFactory
from chassis.testing.serving import Serve
from services.billing.plans import plan_presets
from services.billing.plans.plan_presets import PRESETS
from tests.billing.buyers import Buyer, found, opened
from tests.billing.office import refused
from wrtn.access.v1.access_pb2 import Duty, StaffRight, Title
from wrtn.billing.v1 import plans_pb2, subscriptions_pb2
from wrtn.billing.v1.subscriptions_pb2 import Subscription

PRO, FREE, ENTERPRISE = (str(PRESETS[key][0]) for key in ("pro", "free", "enterprise"))
TRIALING, ACTIVE, PAUSED, CANCELED = (
    Subscription.STATE_TRIALING,
    Subscription.STATE_ACTIVE,
    Subscription.STATE_PAUSED,
    Subscription.STATE_CANCELED,
)


@pytest_asyncio.fixture
async def buyer(database: DatabaseFactory, serve: Serve, callers: Callers) -> AsyncIterator[Buyer]:
    async with opened(database, serve, callers) as made:
        yield await found(made)


async def do(buyer: Buyer, verb: str, *, by: Known | None = None, **more: Any) -> Subscription:
    request = getattr(subscriptions_pb2, f"{verb}SubscriptionRequest")(enterprise_id=str(buyer.id), **more)
    call = getattr(buyer.subscriptions, f"{verb}Subscription")
    return await call(request, metadata=(by or buyer.owner).metadata)  # type: ignore[no-any-return]


async def phases(buyer: Buyer) -> list[tuple[int, int, int]]:
    rows = await buyer.rows(
        "SELECT state, seats, extract(epoch FROM start_time)::bigint FROM wrtn_subscription_phases"
        " ORDER BY sequence"
    )
    return [(row[0], row[1], row[2]) for row in rows]


async def test_presets_are_there_once_and_stay_as_they_were_revised(buyer: Buyer) -> None:
    by = buyer.administrator
    listed = await buyer.plans.ListPlans(plans_pb2.ListPlansRequest(), metadata=buyer.owner.metadata)
    assert [plan.key for plan in listed.plans] == ["enterprise", "free", "pro"]
    terms = next(plan.terms for plan in listed.plans if plan.key == "pro")
    terms.trial_days = 30
    request = plans_pb2.RevisePlanRequest(plan_id=PRO, terms=terms, etag="1")
    revised = await buyer.plans.RevisePlan(request, metadata=by.metadata)
    assert (revised.version, revised.terms.trial_days) == (2, 30)
    await plan_presets.import_at_start(buyer.running.runtime.db)
    now = await buyer.plans.GetPlan(plans_pb2.GetPlanRequest(plan_id=PRO), metadata=by.metadata)
    before = await buyer.plans.GetPlan(plans_pb2.GetPlanRequest(plan_id=PRO, version=1), metadata=by.metadata)
    assert (now.terms.trial_days, before.terms.trial_days) == (30, 14)
    assert await refused(buyer.plans.RevisePlan(request, metadata=by.metadata)) == ("ETAG_MISMATCH", {})
    archived = await buyer.plans.ArchivePlan(plans_pb2.ArchivePlanRequest(plan_id=PRO), metadata=by.metadata)
    assert archived.HasField("archive_time")
    assert (await refused(buyer.plans.RevisePlan(request, metadata=by.metadata)))[0] == "ETAG_MISMATCH"
    assert (await refused(do(buyer, "Start", plan_id=PRO)))[0] == "PLAN_ARCHIVED"


async def test_administrators_alone_keep_plans_and_what_contradicts_itself_is_refused(buyer: Buyer) -> None:
    price = plans_pb2.PlanPrice(currency="USD", fee="10", seat_fee="1", included_credits="0")
    terms = plans_pb2.PlanTerms(
        display_name="Team", interval=plans_pb2.PlanTerms.INTERVAL_MONTH, prices=[price]
    )
    request = plans_pb2.CreatePlanRequest(plan=plans_pb2.Plan(key="team", terms=terms))
    moderator = buyer.callers.member(staff=StaffRight.STAFF_RIGHT_MODERATOR)
    for by in (buyer.owner, moderator):
        await refused(buyer.plans.CreatePlan(request, metadata=by.metadata))
    made = await buyer.plans.CreatePlan(request, metadata=buyer.administrator.metadata)
    assert (made.key, made.version) == ("team", 1)
    again = buyer.plans.CreatePlan(request, metadata=buyer.administrator.metadata)
    assert (await refused(again))[0] == "PLAN_EXISTS"
    request.plan.key = "other"
    request.plan.terms.prices.add().CopyFrom(price)
    twice = buyer.plans.CreatePlan(request, metadata=buyer.administrator.metadata)
    assert (await refused(twice))[0] == "PLAN_INVALID"


async def test_a_subscription_goes_through_its_states_by_verbs_alone(buyer: Buyer) -> None:
    buyer.at(2026, 11, 10, 12)
    started = await do(buyer, "Start", plan_id=PRO, trial=True, seats=3)
    assert (started.state, started.seats, started.etag) == (TRIALING, 5, "1")
    assert started.plan.terms.limits.employees == 500
    for verb in ("Pause", "Resume"):
        assert (await refused(do(buyer, verb)))[0] == "SUBSCRIPTION_STATE_REFUSED"
    changed = await do(buyer, "Change", plan_id=PRO, seats=8, etag="1")
    assert (changed.state, changed.seats) == (TRIALING, 8)
    assert (await refused(do(buyer, "Change", plan_id=PRO, etag="1")))[0] == "ETAG_MISMATCH"
    buyer.at(2026, 11, 30, 12)
    request = subscriptions_pb2.GetSubscriptionRequest(enterprise_id=str(buyer.id))
    tried = await buyer.subscriptions.GetSubscription(request, metadata=buyer.owner.metadata)
    assert tried.state == ACTIVE
    paused = await do(buyer, "Pause")
    assert (paused.state, (await do(buyer, "Resume")).state) == (PAUSED, ACTIVE)
    canceled = await do(buyer, "Cancel")
    assert canceled.cancel_time.ToJsonString() == "2026-12-01T00:00:00Z"
    assert canceled.state == ACTIVE
    assert not (await do(buyer, "Keep")).HasField("cancel_time")
    assert (await do(buyer, "Discount", by=buyer.administrator, discount="12.5")).discount == "12.5"
    await do(buyer, "Cancel")
    buyer.at(2026, 12, 5)
    assert (await refused(do(buyer, "Keep")))[0] == "SUBSCRIPTION_STATE_REFUSED"
    states = [state for state, _, _ in await phases(buyer)]
    assert states == [TRIALING, TRIALING, ACTIVE, PAUSED, ACTIVE, ACTIVE]
    again = await do(buyer, "Start", plan_id=FREE)
    assert (again.state, again.plan.key) == (ACTIVE, "free")
    assert CANCELED in [state for state, _, _ in await phases(buyer)]
    told = await buyer.rows("SELECT count(*) FROM wrtn_audit_entries WHERE action LIKE 'subscription.%%'")
    assert told == [(11,)]


async def test_a_trial_is_had_once_and_only_where_the_plan_has_one(buyer: Buyer) -> None:
    assert (await refused(do(buyer, "Start", plan_id=FREE, trial=True)))[0] == "TRIAL_REFUSED"
    await do(buyer, "Start", plan_id=PRO, trial=True)
    await do(buyer, "Cancel")
    buyer.at(2027, 1, 1)
    assert (await refused(do(buyer, "Start", plan_id=PRO, trial=True)))[0] == "TRIAL_REFUSED"
    rows = await buyer.rows("SELECT 1 FROM wrtn_subscriptions")
    assert len(rows) == 1


async def test_of_racing_starts_one_succeeds(buyer: Buyer) -> None:
    async def start() -> str:
        try:
            await do(buyer, "Start", plan_id=PRO)
        except Exception as error:  # noqa: BLE001 - the answers are counted
            return type(error).__name__
        return "started"

    outcomes = await asyncio.gather(*(start() for _ in range(6)))
    assert outcomes.count("started") == 1
    assert await buyer.rows("SELECT count(*) FROM wrtn_subscription_phases") == [(1,)]


async def test_owners_and_managers_of_billing_subscribe_and_nobody_else(buyer: Buyer) -> None:
    manager = buyer.callers.employee(buyer.id, Title.TITLE_MANAGER)
    stranger = (await found(buyer)).owner
    for by in (manager, stranger, buyer.callers.member(staff=StaffRight.STAFF_RIGHT_MODERATOR)):
        await refused(do(buyer, "Start", by=by, plan_id=PRO))
    payer = buyer.callers.employee(buyer.id, Title.TITLE_MANAGER, duties=[Duty.DUTY_BILLING])
    assert (await refused(do(buyer, "Start", by=payer, plan_id=ENTERPRISE)))[0] == "PLAN_NOT_SELF_SERVICE"
    assert (await do(buyer, "Start", by=buyer.administrator, plan_id=ENTERPRISE)).seats == 100
    assert (await do(buyer, "Change", by=payer, plan_id=PRO)).plan.key == "pro"
    await refused(do(buyer, "Discount", by=payer, discount="100"))


async def test_a_plan_is_sold_in_its_currencies_alone(buyer: Buyer) -> None:
    swiss = await found(buyer, "UTC", "CHF")
    assert (await refused(do(swiss, "Start", plan_id=PRO)))[0] == "PLAN_NOT_SOLD"
    assert not await swiss.rows("SELECT 1 FROM wrtn_subscriptions")
