"""Sessions over the real identity: accounts that change hands, and content that staff open by break-glass."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import grpc
import pytest

from chassis.clock import Clock
from chassis.testing.waiting import until
from tests.identity import make
from tests.identity.make import SignedIn
from tests.sessions.make import Session, refusal
from tests.sessions.together import Both, hand_over, known
from wrtn.access.v1.access_pb2 import STAFF_RIGHT_MODERATOR
from wrtn.identity.v1 import break_glass_pb2
from wrtn.sessions.v1 import chat_sessions_pb2 as pb
from wrtn.sessions.v1.recorder_pb2 import Control

SECRET = '{"text":"the merger"}'
UNKNOWN = (grpc.StatusCode.NOT_FOUND, "SESSION_NOT_FOUND")
pytestmark = pytest.mark.asyncio(loop_scope="module")


async def refused(attempt: Awaitable[object]) -> tuple[grpc.StatusCode, str]:
    """Answers why a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await attempt
    return refusal(error.value)


async def read(both: Both, by: SignedIn, session: Session, tenant_id: str = "") -> list[str]:
    """Reads the histories of a session; `tenant_id` is what staff name."""
    request = pb.ListHistoriesRequest(chat_session_id=session.id, tenant_id=tenant_id)
    found = await both.sessions.chats.ListHistories(request, metadata=by.metadata)
    return [each.body for each in found.histories]


async def open_glass(both: Both, by: SignedIn, tenant_id: str) -> str:
    """Opens a tenant; answers the use."""
    request = break_glass_pb2.OpenBreakGlassRequest(tenant_id=tenant_id, reason="ticket 4711: lost answers")
    return (await both.identity.break_glass.OpenBreakGlass(request, metadata=by.metadata)).id


async def test_from_acceptance_on_the_new_holder_has_everything_and_the_one_before_nothing(
    both: Both,
) -> None:
    giver, receiver = await make.member(both.identity), await make.member(both.identity)
    session = await both.session(giver)
    line = await both.sessions.attach(session)
    await line.record(both.sessions.frame(SECRET))
    unary = await both.sessions.open(session)
    await both.sessions.append(session, unary.connection_id, both.sessions.frame())
    handed = asyncio.create_task(hand_over(both, giver, receiver))
    answers = await line.rest()
    assert answers[-1].control.kind == Control.KIND_ACCOUNT_TRANSFERRED
    acting = await handed
    async with asyncio.timeout(1):
        await until(lambda: _ended(both, giver, session))
    append = both.sessions.append(session, unary.connection_id, both.sessions.frame())
    assert (await refused(append))[1] == "RIGHT_REVOKED"
    assert len(await read(both, acting, session)) == 2
    fresh = await both.sessions.attach(Session(session.id, known(acting), both.credential))
    await fresh.record(both.sessions.frame())
    # The one before signs on with an account of their own, and finds none of it.
    own = SignedIn(giver.email, await make.refresh(both.identity, giver.pair.refresh_token))
    assert await refused(read(both, own, session)) == UNKNOWN
    listed = await both.sessions.chats.ListChatSessions(pb.ListChatSessionsRequest(), metadata=own.metadata)
    assert list(listed.chat_sessions) == []


async def _ended(both: Both, by: SignedIn, session: Session) -> bool:
    """Says whether the token is refused by now."""
    try:
        await read(both, by, session)
    except grpc.aio.AioRpcError as error:
        return refusal(error) == (grpc.StatusCode.UNAUTHENTICATED, "PRINCIPAL_ENDED")
    return False


async def test_an_administrator_reads_one_tenant_while_it_is_open_and_each_read_is_audited(
    both: Both,
) -> None:
    boss, person, other = (
        await make.appointed(both.identity),
        await make.member(both.identity),
        await make.member(both.identity),
    )
    session, elsewhere = await both.session(person), await both.session(other)
    for each in (session, elsewhere):
        await (await both.sessions.attach(each)).record(both.sessions.frame(SECRET))
    assert await refused(read(both, boss, session)) == UNKNOWN
    assert await refused(read(both, boss, session, person.account_id)) == UNKNOWN
    used = await open_glass(both, boss, person.account_id)
    assert await read(both, boss, session, person.account_id) == [SECRET]
    request = pb.GetChatSessionRequest(chat_session_id=session.id, tenant_id=person.account_id)
    found = await both.sessions.chats.GetChatSession(request, metadata=boss.metadata)
    assert found.id == session.id
    # No other tenant, no other session under this one's name, and nobody else's eyes.
    assert await refused(read(both, boss, elsewhere, other.account_id)) == UNKNOWN
    assert await refused(read(both, boss, elsewhere, person.account_id)) == UNKNOWN
    second = await make.appointed(both.identity)
    moderator = await make.appointed(both.identity, STAFF_RIGHT_MODERATOR)
    for by in (second, moderator, other):
        assert await refused(read(both, by, session, person.account_id)) == UNKNOWN
    rows = await both.sessions.rows(
        "SELECT action, member_id::text, details->>'break_glass_id', target_id::text"
        " FROM wrtn_audit_entries WHERE action = 'chat_session.read'",
        known(person).account_id,
    )
    assert rows == [("chat_session.read", boss.member_id, used, session.id)] * 2


async def test_what_is_closed_is_closed_at_once(both: Both) -> None:
    boss, person = await make.appointed(both.identity), await make.member(both.identity)
    session = await both.session(person)
    used = await open_glass(both, boss, person.account_id)
    assert await read(both, boss, session, person.account_id) == []
    request = break_glass_pb2.CloseBreakGlassRequest(break_glass_id=used)
    await both.identity.break_glass.CloseBreakGlass(request, metadata=boss.metadata)
    assert await refused(read(both, boss, session, person.account_id)) == UNKNOWN


async def test_a_missing_tenant_or_session_looks_like_one_that_is_not_open(both: Both) -> None:
    boss, person = await make.appointed(both.identity), await make.member(both.identity)
    session = await both.session(person)
    await open_glass(both, boss, person.account_id)
    missing = Session(str(Clock().new_id()), session.owner, session.credential)
    assert await refused(read(both, boss, missing, person.account_id)) == UNKNOWN
    assert await refused(read(both, boss, session, str(Clock().new_id()))) == UNKNOWN
