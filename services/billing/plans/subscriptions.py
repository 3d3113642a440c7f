"""Subscriptions: started, changed, paused, canceled and kept.

A subscription is locked before it is judged, and first brought up to date: trials and cancellations take
effect at their moment, whoever comes by first afterwards.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from chassis.database import Transaction
from chassis.decimals import text
from services.billing import events
from services.billing.errors import (
    EtagMismatch,
    PlanArchived,
    PlanNotFound,
    PlanNotSelfService,
    PlanNotSold,
    SubscriptionExists,
    SubscriptionNotFound,
    SubscriptionStateRefused,
    TrialRefused,
)
from services.billing.models import Subscription, SubscriptionPhase
from services.billing.plans import included
from services.billing.plans.fees import price_in, term
from services.billing.plans.plan_rules import is_capped
from services.billing.store.customers import Customer
from services.billing.store.plans import Plans, Versioned
from services.billing.store.subscriptions import Subscriptions
from services.billing.store.token_counts import TokenCounts
from services.billing.wallets import wallets
from wrtn.billing.v1.subscriptions_pb2 import Subscription as Wire

_RUNNING = (Wire.STATE_TRIALING, Wire.STATE_ACTIVE)


class Wanted(NamedTuple):
    """What is to be subscribed to."""

    plan_id: UUID
    seats: int
    staff: bool
    """Whether an administrator subscribes, who may also choose what owners may not."""


async def start(tx: Transaction, tenant_id: UUID, wanted: Wanted, *, trial: bool) -> Subscription:
    """Starts a subscription.

    Raises PlanNotFound, PlanArchived, PlanNotSold, PlanNotSelfService, TrialRefused and SubscriptionExists.
    """
    queries = Subscriptions(tx, tenant_id)
    await _brought_up(tx, queries)
    currency = await Customer(tx, tenant_id).currency()
    plan = await _sold(tx, wanted, currency)
    if trial and (not plan.terms.trial_days or await queries.tried()):
        raise TrialRefused("The plan has no trial, or there was one before.", field="trial")
    row = Subscription(
        tenant_id=tenant_id,
        id=tx.clock.new_id(),
        state=Wire.STATE_TRIALING if trial else Wire.STATE_ACTIVE,
        plan_id=wanted.plan_id,
        plan_version=plan.version.version,
        seats=max(wanted.seats, plan.terms.seats),
        discount=Decimal(0),
        currency=currency,
        start_time=tx.now,
        trial_end_time=tx.now + timedelta(days=plan.terms.trial_days) if trial else None,
        cancel_time=None,
        version=0,
    )
    if not await queries.insert(row):
        raise SubscriptionExists("There is a subscription already: change that one.", field="enterprise_id")
    standing = await _locked(tx, tenant_id, "")
    await _enter(tx, standing, tx.now, "subscription.started")
    return standing


async def change(tx: Transaction, tenant_id: UUID, wanted: Wanted, etag: str) -> Subscription:
    """Changes plan and seats from now on; raises as `start`, SubscriptionStateRefused and EtagMismatch."""
    row = await _locked(tx, tenant_id, etag)
    _require(row, *_RUNNING)
    plan = await _sold(tx, wanted, row.currency)
    row.plan_id, row.plan_version = wanted.plan_id, plan.version.version
    row.seats = max(wanted.seats, plan.terms.seats)
    await _enter(tx, row, tx.now, "subscription.changed")
    return row


async def discount(tx: Transaction, tenant_id: UUID, percent: Decimal, etag: str) -> Subscription:
    """Sets the discount on fees from now on; raises SubscriptionStateRefused and EtagMismatch."""
    row = await _locked(tx, tenant_id, etag)
    _require(row, *_RUNNING, Wire.STATE_PAUSED)
    row.discount = percent
    await _enter(tx, row, tx.now, "subscription.discounted")
    return row


async def cancel(tx: Transaction, tenant_id: UUID, etag: str) -> Subscription:
    """Cancels at the end of what runs; raises SubscriptionStateRefused and EtagMismatch."""
    row = await _locked(tx, tenant_id, etag)
    _require(row, *_RUNNING, Wire.STATE_PAUSED)
    if row.cancel_time is None:
        row.cancel_time = await _end_of_running(tx, row)
        await _note(tx, row, "subscription.cancellation_set")
    else:
        tx.audit("subscription.unchanged", tenant_id=tenant_id, target_id=tenant_id)
    return row


async def keep(tx: Transaction, tenant_id: UUID, etag: str) -> Subscription:
    """Takes a cancellation back; raises SubscriptionStateRefused and EtagMismatch."""
    row = await _locked(tx, tenant_id, etag)
    _require(row, *_RUNNING, Wire.STATE_PAUSED)
    if row.cancel_time is not None:
        row.cancel_time = None
        await _note(tx, row, "subscription.kept")
    else:
        tx.audit("subscription.unchanged", tenant_id=tenant_id, target_id=tenant_id)
    return row


async def pause(tx: Transaction, tenant_id: UUID, etag: str) -> Subscription:
    """Halts an active subscription; raises SubscriptionStateRefused and EtagMismatch."""
    return await _turn(tx, tenant_id, etag, Wire.STATE_ACTIVE, Wire.STATE_PAUSED, "subscription.paused")


async def resume(tx: Transaction, tenant_id: UUID, etag: str) -> Subscription:
    """Lets a paused subscription go on; raises SubscriptionStateRefused and EtagMismatch."""
    return await _turn(tx, tenant_id, etag, Wire.STATE_PAUSED, Wire.STATE_ACTIVE, "subscription.resumed")


async def bring_up_to_date(tx: Transaction, tenant_id: UUID) -> None:
    """Ends the trial and the subscription of a tenant if their time has come; harmless when repeated."""
    await _brought_up(tx, Subscriptions(tx, tenant_id))


async def _brought_up(tx: Transaction, queries: Subscriptions) -> Subscription | None:
    row = await queries.newest(lock=True)
    if row is None:
        return None
    trial_end, end = row.trial_end_time, row.cancel_time
    if (
        row.state == Wire.STATE_TRIALING
        and trial_end
        and trial_end <= tx.now
        and (not end or trial_end < end)
    ):
        row.state = Wire.STATE_ACTIVE
        await _enter(tx, row, trial_end, "subscription.trial_ended")
    if row.state != Wire.STATE_CANCELED and end is not None and end <= tx.now:
        row.state = Wire.STATE_CANCELED
        await _enter(tx, row, end, "subscription.canceled")
    return row


async def _locked(tx: Transaction, tenant_id: UUID, etag: str) -> Subscription:
    row = await _brought_up(tx, Subscriptions(tx, tenant_id))
    if row is None:
        raise SubscriptionNotFound("The enterprise never subscribed: start a subscription.")
    if etag and etag != str(row.version):
        raise EtagMismatch("The subscription was changed since: read it again.", field="etag")
    return row


async def _turn(
    tx: Transaction, tenant_id: UUID, etag: str, before: int, after: int, action: str
) -> Subscription:
    row = await _locked(tx, tenant_id, etag)
    _require(row, before)
    row.state = after
    await _enter(tx, row, tx.now, action)
    return row


async def _sold(tx: Transaction, wanted: Wanted, currency: str) -> Versioned:
    """Answers the newest version of the plan, if it is to be had."""
    plan = await Plans(tx).get(wanted.plan_id)
    if plan is None:
        raise PlanNotFound("The plan does not exist.", field="plan_id")
    if plan.plan.archive_time is not None:
        raise PlanArchived("The plan is off the list: choose another one.", field="plan_id")
    if not plan.terms.self_service and not wanted.staff:
        raise PlanNotSelfService("This plan is set by our staff: ask us.")
    if price_in(plan.terms, currency) is None:
        raise PlanNotSold(f"The plan is not sold in {currency}: choose another one.", field="plan_id")
    return plan


async def _end_of_running(tx: Transaction, row: Subscription) -> datetime:
    if row.state == Wire.STATE_TRIALING and row.trial_end_time is not None:
        return row.trial_end_time
    plan = await Plans(tx).get(row.plan_id, row.plan_version)
    if plan is None:
        raise PlanNotFound("The plan does not exist.", field="plan_id")
    zone = ZoneInfo(await Customer(tx, row.tenant_id).time_zone())
    return term(plan.terms.interval, zone, row.start_time, tx.now).end or tx.now


def _require(row: Subscription, *states: int) -> None:
    if row.state not in states:
        raise SubscriptionStateRefused(
            f"The subscription is {Wire.State.Name(row.state)}: that is not possible now.",  # type: ignore[arg-type]
            state=Wire.State.Name(row.state),  # type: ignore[arg-type]
        )


async def _enter(tx: Transaction, row: Subscription, moment: datetime, action: str) -> None:
    """Begins a phase with what the subscription is from a moment on."""
    await _note(tx, row, action)
    plan = await Plans(tx).get(row.plan_id, row.plan_version)
    if plan is not None:
        without = not plan.terms.overage_allowed
        await wallets.set_prepaid(tx, row.tenant_id, prepaid=without and not is_capped(plan.terms))
        await TokenCounts(tx, row.tenant_id).forget(tx.now)
    await included.give(tx, row.tenant_id)
    tx.session.add(
        SubscriptionPhase(
            tenant_id=row.tenant_id,
            subscription_id=row.id,
            sequence=row.version,
            state=row.state,
            plan_id=row.plan_id,
            plan_version=row.plan_version,
            seats=row.seats,
            discount=row.discount,
            start_time=moment,
        )
    )


async def _note(tx: Transaction, row: Subscription, action: str) -> None:
    row.version += 1
    await tx.session.flush()
    plan = await Plans(tx).get(row.plan_id, row.plan_version)
    if plan is not None:
        events.subscription_changed(tx, row, plan.terms)
    tx.audit(
        action,
        tenant_id=row.tenant_id,
        target_id=row.id,
        plan_id=str(row.plan_id),
        seats=row.seats,
        discount=text(row.discount),
    )
