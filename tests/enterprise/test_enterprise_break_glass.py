"""The owners of an enterprise are told when staff may read its content."""

from __future__ import annotations

from uuid import UUID

import nats

from chassis.events import envelope
from chassis.events.streams import ensure_stream
from chassis.testing.waiting import until
from tests.enterprise.make import World
from wrtn.access.v1.access_pb2 import DUTY_BILLING, DUTY_SECURITY, TITLE_MANAGER, TITLE_OWNER
from wrtn.identity.v1.events_pb2 import BreakGlassOpened


async def opened(world: World, tenant_id: str, times: int = 1) -> None:
    """Publishes as identity's relay would; more than once as after a resend."""
    client = await nats.connect(world.running.runtime.settings.nats_url)
    clock, subject = world.clock, envelope.subject_of(BreakGlassOpened)
    event_id, used = clock.new_id(), clock.new_id()
    event = BreakGlassOpened(break_glass_id=str(used), tenant_id=tenant_id)
    try:
        await ensure_stream(client.jetstream(), "identity")
        for number in range(times):
            tenant, now = UUID(tenant_id), clock.now()
            headers = envelope.headers(event_id, tenant, subject, used, 1, None, now, f"{number}")
            await client.jetstream().publish(subject, event.SerializeToString(), headers=headers)
    finally:
        await client.close()


async def test_owners_and_managers_with_the_duty_are_told_by_mail_once_and_nobody_else(world: World) -> None:
    owner, stranger = await world.owner(), await world.owner()
    second = await world.hire(owner, title=TITLE_OWNER)
    keeper, payer = [await world.hire(owner, title=TITLE_MANAGER) for _ in range(2)]
    await world.entrust(owner, keeper, DUTY_SECURITY)
    await world.entrust(owner, payer, DUTY_BILLING)
    await world.hire(owner)
    # A personal account's holder is told by identity.
    await opened(world, str(world.clock.new_id()))
    await opened(world, str(owner.enterprise_id), times=3)

    def told() -> set[str]:
        mails = world.identity.mails.values()
        return {each.member_id for each in mails if each.template == "break_glass_opened"}

    await until(lambda: len(told()) >= 3)
    assert told() == {str(each.person.member_id) for each in (owner, second, keeper)}
    assert str(stranger.person.member_id) not in told()
    mails = [each for each in world.identity.mails.values() if each.template == "break_glass_opened"]
    assert len(mails) == 3
