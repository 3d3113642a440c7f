"""What enterprise does when identity or billing tells of something."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from uuid import UUID

from chassis.database import Transaction
from chassis.events.consumer import Consumer
from chassis.events.envelope import Event
from services.enterprise import letters
from services.enterprise.enterprises import states
from services.enterprise.store import Enterprises, Handovers, PlanLimits
from wrtn.billing.v1.events_pb2 import PaymentOverdue, PaymentRecovered, SubscriptionChanged
from wrtn.identity.v1.events_pb2 import AccountTransferred, BreakGlassOpened


async def note_holder(tx: Transaction, events: Sequence[Event[AccountTransferred]]) -> None:
    """Notes who holds an enterprise's account now, so that a dismissal hands over all that they hold.

    Rights do not hang on it: they are resolved by the member. Personal accounts are none of our business.
    """
    for event in events:
        tenant_id = UUID(event.message.tenant_id)
        if await Enterprises(tx, tenant_id).get() is not None:
            holder_id = UUID(event.message.new_holder_member_id)
            await Handovers(tx, tenant_id).hold(UUID(event.message.account_id), holder_id, event.version)


async def tell_security(tx: Transaction, events: Sequence[Event[BreakGlassOpened]]) -> None:
    """Writes to who keeps the security of each enterprise whose content staff may read for a time."""
    for event in events:
        tenant_id = UUID(event.message.tenant_id)
        if await Enterprises(tx, tenant_id).get() is not None:
            await letters.write_to_security(tx, tenant_id, "break_glass_opened", {})


async def suspend(tx: Transaction, events: Sequence[Event[PaymentOverdue]]) -> None:
    """Suspends enterprises that have not paid; personal accounts are none of our business."""
    for event in events:
        await states.note_payment(tx, UUID(event.message.tenant_id), event.version, overdue=True)


async def reinstate(tx: Transaction, events: Sequence[Event[PaymentRecovered]]) -> None:
    """Reinstates enterprises that have paid."""
    for event in events:
        await states.note_payment(tx, UUID(event.message.tenant_id), event.version, overdue=False)


async def limit(tx: Transaction, events: Sequence[Event[SubscriptionChanged]]) -> None:
    """Notes how many employees and teams the plans of enterprises allow."""
    for event in events:
        if event.tenant_id is not None and await Enterprises(tx, event.tenant_id).get() is not None:
            most, start = event.message.limits, event.message.start_time.ToDatetime(UTC)
            await PlanLimits(tx, event.tenant_id).note(most.employees, most.teams, start, event.version)


CONSUMERS = (
    Consumer("account-holders", "identity", {AccountTransferred: note_holder}),
    Consumer("break-glass", "identity", {BreakGlassOpened: tell_security}),
    Consumer("plan-limits", "billing", {SubscriptionChanged: limit}),
    Consumer("payments", "billing", {PaymentOverdue: suspend, PaymentRecovered: reinstate}),
)
