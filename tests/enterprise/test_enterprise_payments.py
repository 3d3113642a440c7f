"""An enterprise that does not pay is suspended by what billing tells, and goes on once it pays."""

from __future__ import annotations

from uuid import UUID

from chassis.events.envelope import Event
from chassis.testing.waiting import until
from tests.enterprise.make import Worker, World
from tests.enterprise.test_enterprise_changes import listed, moderator, reinstate, state_changes, suspend
from tests.usage import NEW, NOON, publish
from wrtn.billing.v1.events_pb2 import PaymentOverdue, PaymentRecovered
from wrtn.enterprise.v1 import enterprises_pb2 as pb

ACTIVE, SUSPENDED = pb.ENTERPRISE_STATE_ACTIVE, pb.ENTERPRISE_STATE_SUSPENDED
PAYMENT, TERMS = pb.SUSPENSION_CAUSE_PAYMENT, pb.SUSPENSION_CAUSE_TERMS


async def tell(world: World, tenant_id: str, overdue: bool, version: int) -> None:
    """Publishes as billing does."""
    fact = PaymentOverdue(tenant_id=tenant_id) if overdue else PaymentRecovered(tenant_id=tenant_id)
    told = Event(NEW(), NOON, UUID(tenant_id), UUID(tenant_id), version, fact)
    await publish(world.running.runtime.bus, "billing", [told])


async def became(world: World, owner: Worker, state: int) -> None:
    """Waits until the enterprise is so."""

    async def so() -> bool:
        return [each.state for each in await listed(world, owner)] == [state]

    await until(so)


async def test_who_does_not_pay_is_suspended_and_goes_on_once_they_pay(world: World) -> None:
    owner, other = await world.owner(), await world.owner()
    # A personal account is none of ours; what is told again or late changes nothing.
    await tell(world, str(NEW()), overdue=True, version=1)
    for version in (1, 1):
        await tell(world, owner.enterprise_id, overdue=True, version=version)
    await became(world, owner, SUSPENDED)
    await tell(world, owner.enterprise_id, overdue=False, version=2)
    await became(world, owner, ACTIVE)
    await tell(world, owner.enterprise_id, overdue=True, version=1)
    await tell(world, other.enterprise_id, overdue=True, version=1)
    await became(world, other, SUSPENDED)
    await became(world, owner, ACTIVE)
    assert await state_changes(world, owner) == [(ACTIVE, 0, ""), (SUSPENDED, PAYMENT, "")]


async def test_what_staff_decided_stays_whatever_billing_tells(world: World) -> None:
    owner, other, staff = await world.owner(), await world.owner(), moderator(world)
    await suspend(world, owner.enterprise_id, staff)
    for overdue, version in ((True, 1), (False, 2)):
        await tell(world, owner.enterprise_id, overdue=overdue, version=version)
    await tell(world, other.enterprise_id, overdue=True, version=1)
    await became(world, other, SUSPENDED)
    assert await state_changes(world, owner) == [(SUSPENDED, TERMS, "")]
    await reinstate(world, other.enterprise_id, staff)
    await became(world, other, ACTIVE)
