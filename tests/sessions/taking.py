"""The ways in which people lose the right to what they have open, over the real identity."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID

from chassis.testing.callers import Known
from tests.identity import make
from tests.identity.make import SignedIn
from tests.identity.service import MovableClock
from tests.identity.test_identity_api_keys import create, revoke
from tests.identity.test_identity_policies import employee, owner_with_app, set_policy
from tests.sessions.together import Both, hand_over, known
from wrtn.access.v1.access_pb2 import Title
from wrtn.identity.v1 import auth_pb2, suspensions_pb2
from wrtn.identity.v1.members_pb2 import Hold

Taking = tuple[Known, Callable[[], Awaitable[object]]]
"""Somebody who may, and what takes that."""


async def suspended(both: Both) -> Taking:
    """A member whom a moderator suspends."""
    person, moderator = await make.member(both.identity), await make.staff(both.identity)
    request = suspensions_pb2.SuspendMemberRequest(
        member_id=person.member_id, reason=Hold.REASON_ABUSE, note="Spam."
    )
    return known(person), lambda: both.identity.suspensions.SuspendMember(
        request, metadata=moderator.metadata
    )


async def signed_out(both: Both) -> Taking:
    """A member who signs out."""
    person = await make.member(both.identity)
    return known(person), lambda: both.identity.auth.SignOut(
        auth_pb2.SignOutRequest(), metadata=person.metadata
    )


async def key_revoked(both: Both) -> Taking:
    """A member who connected by an API key, and revokes it."""
    person = await make.member(both.identity)
    made = await create(both.identity, person)
    by_key = Known(known(person).token, UUID(person.account_id), made.key)
    return by_key, lambda: revoke(both.identity, person, made.api_key.id)


async def policy_changed(both: Both) -> Taking:
    """An employee without a second factor, and the owner who asks for one."""
    enterprise_id, owner = await owner_with_app(both.identity, MovableClock())
    acting, _ = await employee(both.identity, enterprise_id)
    caller = employed(both, enterprise_id, acting)
    return caller, lambda: set_policy(both.identity, owner, enterprise_id, second_factor_required=True)


async def dismissed(both: Both) -> Taking:
    """An employee whom their enterprise dismisses."""
    enterprise_id, _ = await owner_with_app(both.identity, MovableClock())
    acting, _ = await employee(both.identity, enterprise_id)
    caller = employed(both, enterprise_id, acting)

    async def end() -> None:
        both.sessions.callers.dismiss(caller)

    return caller, end


async def transferred(both: Both) -> Taking:
    """A member who hands over the account by which they act."""
    giver, receiver = await make.member(both.identity), await make.member(both.identity)
    return known(giver), lambda: hand_over(both, giver, receiver)


def employed(both: Both, enterprise_id: str, acting: SignedIn) -> Known:
    """Lets enterprise know an employee, as sessions asks for them."""
    token, tenant_id = known(acting).token, UUID(enterprise_id)
    both.sessions.callers.hire(tenant_id, UUID(acting.member_id), UUID(acting.account_id), Title.TITLE_MEMBER)
    return Known(token, tenant_id, acting.pair.access_token)


IN_IDENTITY = [suspended, signed_out, key_revoked, policy_changed]
"""Of these identity tells by its own events."""
