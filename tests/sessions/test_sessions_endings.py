"""Over the real identity: whoever may not act any more is told on their open streams, and these end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from chassis.embedded.nats import Nats
from chassis.testing.callers import Known
from chassis.testing.waiting import until
from tests.identity import make
from tests.identity.make import SignedIn
from tests.identity.service import MovableClock
from tests.identity.test_identity_api_keys import create, revoke
from tests.identity.test_identity_policies import employee, owner_with_app, set_policy
from tests.sessions.make import Line, Session
from tests.sessions.test_sessions_together import both, hand_over
from tests.sessions.together import Both, known
from wrtn.access.v1.access_pb2 import Title
from wrtn.identity.v1 import auth_pb2, suspensions_pb2
from wrtn.identity.v1.members_pb2 import Hold
from wrtn.sessions.v1.recorder_pb2 import Control

__all__ = ["both"]

End = Callable[[], Awaitable[object]]
Opened = tuple[Line, End]
"""An open stream, and what is to end it."""


async def suspended(both: Both) -> Opened:
    """A member whom a moderator suspends."""
    person, moderator = await make.member(both.identity), await make.staff(both.identity)
    request = suspensions_pb2.SuspendMemberRequest(
        member_id=person.member_id, reason=Hold.REASON_ABUSE, note="Spam."
    )
    return await stream(both, known(person)), lambda: both.identity.suspensions.SuspendMember(
        request, metadata=moderator.metadata
    )


async def signed_out(both: Both) -> Opened:
    """A member who signs out."""
    person = await make.member(both.identity)
    return await stream(both, known(person)), lambda: both.identity.auth.SignOut(
        auth_pb2.SignOutRequest(), metadata=person.metadata
    )


async def key_revoked(both: Both) -> Opened:
    """A member who connected by an API key, and revokes it."""
    person = await make.member(both.identity)
    made = await create(both.identity, person)
    by_key = Known(known(person).token, UUID(person.account_id), made.key)
    return await stream(both, by_key), lambda: revoke(both.identity, person, made.api_key.id)


async def policy_changed(both: Both) -> Opened:
    """An employee without a second factor, and the owner who asks for one."""
    enterprise_id, owner = await owner_with_app(both.identity, MovableClock())
    acting, _ = await employee(both.identity, enterprise_id)
    caller = employed(both, enterprise_id, acting)
    return await stream(both, caller), lambda: set_policy(
        both.identity, owner, enterprise_id, second_factor_required=True
    )


async def dismissed(both: Both) -> Opened:
    """An employee whom their enterprise dismisses."""
    enterprise_id, _ = await owner_with_app(both.identity, MovableClock())
    acting, _ = await employee(both.identity, enterprise_id)
    caller = employed(both, enterprise_id, acting)

    async def end() -> None:
        both.sessions.callers.dismiss(caller)

    return await stream(both, caller), end


async def transferred(both: Both) -> Opened:
    """A member who hands over the account by which they act."""
    giver, receiver = await make.member(both.identity), await make.member(both.identity)
    return await stream(both, known(giver)), lambda: hand_over(both, giver, receiver)


def employed(both: Both, enterprise_id: str, acting: SignedIn) -> Known:
    """Lets enterprise know an employee, as sessions asks for them."""
    token, tenant_id = known(acting).token, UUID(enterprise_id)
    both.sessions.callers.hire(tenant_id, UUID(acting.member_id), UUID(acting.account_id), Title.TITLE_MEMBER)
    return Known(token, tenant_id, acting.pair.access_token)


async def stream(both: Both, caller: Known) -> Line:
    """Opens a session of a caller, and a stream that records."""
    session: Session = await both.sessions.session(caller, both.credential)
    line = await both.sessions.attach(session)
    await line.record(both.sessions.frame())
    return line


async def told(line: Line) -> Control.Kind.ValueType:
    """Reads up to the end of the stream; answers the word that came before it."""
    answers = await line.rest()
    assert answers[-1].HasField("control"), answers
    return answers[-1].control.kind


OPENINGS = [suspended, signed_out, key_revoked, policy_changed]


@pytest.mark.parametrize("opening", OPENINGS)
async def test_who_may_not_act_any_more_is_told_within_a_second(
    both: Both, opening: Callable[[Both], Awaitable[Opened]]
) -> None:
    line, end = await opening(both)
    bystander = await stream(both, known(await make.member(both.identity)))
    await end()
    async with asyncio.timeout(1):
        assert await told(line) == Control.KIND_RIGHT_REVOKED
    await bystander.record(both.sessions.frame())


async def test_without_events_they_are_told_within_five_seconds(both: Both, nats: Nats) -> None:
    opened = [await opening(both) for opening in (*OPENINGS, dismissed, transferred)]
    bystander = await stream(both, known(await make.member(both.identity)))
    nats.stop()
    await until(lambda: _deaf(both))
    for _, end in opened:
        await end()
    async with asyncio.timeout(5):
        assert {await told(line) for line, _ in opened} == {Control.KIND_RIGHT_REVOKED}
    await bystander.record(both.sessions.frame())


async def _deaf(both: Both) -> bool:
    return not both.sessions.running.runtime.bus.connected
