"""What becomes of sessions when their account goes to another member."""

from __future__ import annotations

import asyncio
from datetime import datetime
from uuid import UUID

import grpc
import nats as broker
import pytest

from chassis.clock import Clock
from chassis.embedded.nats import Nats
from chassis.events import envelope
from chassis.events.envelope import subject_of
from chassis.events.streams import ensure_stream
from chassis.testing.callers import Callers, Known
from chassis.testing.waiting import until
from tests.sessions.make import MODEL, RECORD, Line, Session, Sessions, refusal, tokens
from tests.sessions.running import Running
from wrtn.access.v1.access_pb2 import ROLE_MEMBER, TITLE_MEMBER
from wrtn.enterprise.v1.events_pb2 import EmployeeDismissed
from wrtn.identity.v1.events_pb2 import AccountTransferred
from wrtn.sessions.v1 import chat_sessions_pb2 as pb
from wrtn.sessions.v1.procedure_sessions_pb2 import ListProcedureSessionsRequest
from wrtn.sessions.v1.recorder_pb2 import Control

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def hand_over(
    sessions: Sessions,
    holder: Known,
    heir: Known,
    *,
    times: int = 1,
    moment: datetime | None = None,
) -> Known:
    """Transfers the acting account as identity does, and tells of it; answers the heir acting by it."""
    acting = sessions.callers.inherited(heir, holder.account_id)
    sessions.callers.end(holder)
    event = AccountTransferred(
        account_id=str(holder.account_id),
        tenant_id=str(holder.enterprise_id),
        old_holder_member_id=str(holder.member_id),
        new_holder_member_id=str(heir.member_id),
        transfer_id=str(Clock().new_id()),
    )
    await publish(sessions.nats, event, moment or Clock().now(), times)
    return acting


async def publish(nats: Nats, event: AccountTransferred, moment: datetime, times: int) -> None:
    """Publishes as identity's relay would; more than once as after a resend."""
    client = await broker.connect(nats.url)
    try:
        await ensure_stream(client.jetstream(), "identity")
        event_id, subject = Clock().new_id(), envelope.subject_of(AccountTransferred)
        tenant_id, account_id = UUID(event.tenant_id), UUID(event.account_id)
        for number in range(times):
            headers = envelope.headers(event_id, tenant_id, subject, account_id, 2, None, moment, f"{number}")
            await client.jetstream().publish(subject, event.SerializeToString(), headers=headers)
    finally:
        await client.close()


async def told(line: Line) -> Control.Kind.ValueType:
    """Reads up to the control frame, with which the stream ends."""
    answers = await line.rest()
    assert answers[-1].HasField("control"), answers
    return answers[-1].control.kind


async def employees(callers: Callers) -> tuple[Known, Known, UUID, UUID]:
    """Makes two employees of one enterprise, each in a team of their own."""
    enterprise_id = callers.clock.new_id()
    one, two = callers.team(enterprise_id), callers.team(enterprise_id)
    holder = callers.employee(enterprise_id, TITLE_MEMBER, {one: ROLE_MEMBER})
    heir = callers.employee(enterprise_id, TITLE_MEMBER, {two: ROLE_MEMBER})
    return holder, heir, one, two


async def test_the_streams_of_the_holder_before_end_within_a_second_and_no_others(sessions: Sessions) -> None:
    session, other = await sessions.session(), await sessions.session()
    line, others = await sessions.attach(session), await sessions.attach(other)
    await line.record(sessions.frame())
    await sessions.running.runtime.bus.ready()
    await hand_over(sessions, session.owner, sessions.callers.member())
    async with asyncio.timeout(1):
        assert await told(line) == Control.KIND_ACCOUNT_TRANSFERRED
    await others.record(sessions.frame())


async def test_the_new_holder_has_all_of_the_account_and_the_one_before_nothing(sessions: Sessions) -> None:
    session = await sessions.session()
    line = await sessions.attach(session)
    await line.record(sessions.frame('{"text":"mine once"}'))
    opened = await sessions.open(session)
    await sessions.running.runtime.bus.ready()
    acting = await hand_over(sessions, session.owner, sessions.callers.member())
    await told(line)
    inherited = Session(session.id, acting, session.credential)
    (history,) = await sessions.histories(inherited)
    assert history.body == '{"text":"mine once"}'
    fresh = await sessions.attach(inherited)
    await fresh.record(sessions.frame())
    # Every way of the one before is closed: their token, their stream, their connection without a stream.
    for attempt in (
        lambda: sessions.histories(session),
        lambda: sessions.attach(session, resumed_connection_id=line.opened.connection_id),
        lambda: sessions.append(session, opened.connection_id, sessions.frame()),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await attempt()
        assert refusal(refused.value)[1] in ("PRINCIPAL_ENDED", "RIGHT_REVOKED")
    assert len(await sessions.histories(inherited)) == 2


async def test_a_ticket_of_the_holder_before_opens_nothing(sessions: Sessions) -> None:
    session = await sessions.session()
    ticket = await sessions.ticket(session)
    await hand_over(sessions, session.owner, sessions.callers.member())
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await sessions.open(session, ticket=ticket)
    assert refusal(refused.value)[1] == "RIGHT_REVOKED"


async def test_usage_before_the_transfer_stays_with_the_holder_before_and_later_usage_is_the_new_ones(
    sessions: Sessions,
) -> None:
    holder, heir, own, _ = await employees(sessions.callers)
    session = await sessions.session(holder, team_id=own)
    line = await sessions.attach(session)
    spent = sessions.frame(token_usage=tokens(10, 2))
    await line.record(spent)
    await sessions.running.runtime.bus.ready()
    # A turn that is under way when the account goes: what has come is stored, for who sent it.
    late = sessions.frame(token_usage=tokens(20, 4))
    await line.send(late)
    await until(lambda: counts(sessions, holder, 2))
    acting = await hand_over(sessions, holder, heir)
    answers = await line.rest()
    assert answers[0].ack.history_id == late.id
    await until(lambda: teams_of(sessions, session, [None]))
    inherited = await sessions.attach(Session(session.id, acting, session.credential))
    later = sessions.frame(token_usage=tokens(40, 8))
    await inherited.record(later)
    found = await sessions.told(holder.tenant_id)
    assert [each.attribution.member_id for each in found] == [
        str(holder.member_id),
        str(holder.member_id),
        str(heir.member_id),
    ]
    assert [each.attribution.team_id for each in found] == [str(own), str(own), ""]
    assert {each.attribution.account_id for each in found} == {str(holder.account_id)}


async def counts(sessions: Sessions, holder: Known, wanted: int) -> bool:
    """Says whether so many usages of the tenant were told."""
    return len(await sessions.told(holder.tenant_id)) == wanted


async def teams_of(sessions: Sessions, session: Session, wanted: list[UUID | None]) -> bool:
    """Says whether the sessions of the tenant are on these teams, in the order in which they were created."""
    rows = await sessions.rows(
        "SELECT team_id FROM wrtn_chat_sessions ORDER BY create_time", session.owner.tenant_id
    )
    return [each for (each,) in rows] == wanted


async def test_a_transfer_takes_the_sessions_off_the_teams_of_the_holder_before_alone(
    sessions: Sessions,
) -> None:
    holder, heir, own, theirs = await employees(sessions.callers)
    session = await sessions.session(holder, team_id=own)
    kept = await sessions.session(heir, team_id=theirs)
    assert await teams_of(sessions, session, [own, theirs])
    assert kept.owner == heir
    moment = Clock().now()
    # What the new holder opens by the account stays on their team, also when the event comes late.
    await sessions.session(sessions.callers.inherited(heir, holder.account_id), team_id=theirs)
    await hand_over(sessions, holder, heir, times=3, moment=moment)
    await until(lambda: teams_of(sessions, session, [None, theirs, theirs]))


async def test_an_inherited_session_is_listed_and_connected_by_the_new_holder(sessions: Sessions) -> None:
    session = await sessions.session()
    acting = await hand_over(sessions, session.owner, sessions.callers.member())
    listed = await sessions.chats.ListChatSessions(pb.ListChatSessionsRequest(), metadata=acting.metadata)
    assert [each.id for each in listed.chat_sessions] == [session.id]
    assert listed.chat_sessions[0].opener_member_id == str(session.owner.member_id)
    inherited = Session(session.id, acting, sessions.callers.credential(RECORD))
    assert (await sessions.open(inherited)).account_id == str(session.owner.account_id)


async def test_a_dismissal_freezes_and_a_transfer_carries_sessions_of_both_kinds(sessions: Sessions) -> None:
    holder, heir, own, _ = await employees(sessions.callers)
    running = Running(sessions)
    chat = await sessions.session(holder, team_id=own)
    run = await running.session(await running.published(), holder, own, model=MODEL)
    talk, call = await sessions.attach(chat), await running.attach(run)
    await talk.record(sessions.frame())
    frame = running.call({"to": "ann@example.com"}, token_usage=tokens(1, 2))
    await call.record(frame)
    await sessions.running.runtime.bus.ready()
    sessions.callers.dismiss(holder)
    await sessions.running.runtime.bus.publish(
        subject_of(EmployeeDismissed),
        EmployeeDismissed(
            enterprise_id=str(holder.tenant_id),
            member_id=str(holder.member_id),
            account_id=str(holder.account_id),
        ).SerializeToString(),
    )
    async with asyncio.timeout(1):
        assert {await told(talk), await told(call)} == {Control.KIND_RIGHT_REVOKED}
    for attempt in (sessions.ticket(chat), running.ticket(run), sessions.session(holder)):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await attempt
        assert refusal(refused.value)[0] == grpc.StatusCode.PERMISSION_DENIED
    acting = await hand_over(sessions, holder, heir)
    await until(lambda: teams_of(sessions, chat, [None, None]))
    chats = await sessions.chats.ListChatSessions(pb.ListChatSessionsRequest(), metadata=acting.metadata)
    runs = await running.runs.ListProcedureSessions(ListProcedureSessionsRequest(), metadata=acting.metadata)
    assert [each.id for each in chats.chat_sessions] == [chat.id]
    assert [each.id for each in runs.procedure_sessions] == [run.id]
    inherited = Session(run.id, acting, run.credential)
    assert [each.body for each in await running.histories(inherited)] == [frame.body]
    await (await running.attach(inherited)).record(running.call({"to": "bob@example.com"}))
