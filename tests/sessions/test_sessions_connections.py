"""How connections are opened, end, and are continued."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable

import grpc
import pytest

from chassis.database import Scope
from chassis.testing.waiting import until
from services.sessions.tickets import LIFETIME
from tests.sessions.make import RECORD, Line, Session, Sessions, refusal
from wrtn.access.v1.access_pb2 import ROLE_MEMBER, TITLE_MEMBER
from wrtn.sessions.v1.recorder_pb2 import Control

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONNECTION_NOT_FOUND = (grpc.StatusCode.NOT_FOUND, "CONNECTION_NOT_FOUND")
TICKET_REFUSED = (grpc.StatusCode.UNAUTHENTICATED, "TICKET_REFUSED")


async def control(line: Line) -> Control.Kind.ValueType:
    """Reads up to the control frame, with which the stream ends."""
    answers = await line.rest()
    assert answers[-1].HasField("control"), answers
    assert await line.call.code() == grpc.StatusCode.OK
    return answers[-1].control.kind


async def refused(attempt: Awaitable[object]) -> tuple[grpc.StatusCode, str]:
    """Answers why a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await attempt
    return refusal(error.value)


async def test_of_many_who_use_a_ticket_at_once_one_gets_in(sessions: Sessions) -> None:
    session = await sessions.session()
    ticket = await sessions.ticket(session)
    tries = await asyncio.gather(
        *(sessions.open(session, ticket=ticket) for _ in range(10)), return_exceptions=True
    )
    errors = [each for each in tries if isinstance(each, grpc.aio.AioRpcError)]
    assert len(errors) == 9
    assert {refusal(each) for each in errors} == {TICKET_REFUSED}
    assert len(await sessions.connections(session)) == 1


async def test_a_ticket_expires(sessions: Sessions) -> None:
    session = await sessions.session()
    ticket = await sessions.ticket(session)
    async with sessions.database.app.transaction(Scope.of(session.owner.enterprise_id)) as tx:
        await (await tx.driver()).execute(
            "UPDATE wrtn_tickets SET expire_time = expire_time - %s", (LIFETIME,)
        )
    assert await refused(sessions.open(session, ticket=ticket)) == TICKET_REFUSED


@pytest.mark.parametrize("ticket", ["x", "AAAA.x", "." * 40, base64.b64encode(bytes(16)).decode() + ".guess"])
async def test_an_invented_ticket_is_refused(sessions: Sessions, ticket: str) -> None:
    assert await refused(sessions.open(await sessions.session(), ticket=ticket)) == TICKET_REFUSED


async def test_a_credential_of_another_tenant_cannot_use_a_ticket_nor_spoil_it(sessions: Sessions) -> None:
    session = await sessions.session()
    ticket = await sessions.ticket(session)
    foreign = sessions.callers.credential(RECORD, tenant_id=sessions.clock.new_id())
    stranger = Session(session.id, session.owner, foreign)
    assert await refused(sessions.open(stranger, ticket=ticket)) == TICKET_REFUSED
    own = sessions.callers.credential(RECORD, tenant_id=session.owner.tenant_id)
    assert (await sessions.open(Session(session.id, session.owner, own), ticket=ticket)).connection_id


async def test_a_ticket_is_not_stored_as_it_reads(sessions: Sessions) -> None:
    session = await sessions.session()
    ticket = await sessions.ticket(session)
    ((stored,),) = await sessions.rows("SELECT t::text FROM wrtn_tickets t", session.owner.tenant_id)
    assert ticket not in stored
    assert ticket.partition(".")[2] not in stored


async def test_a_ticket_of_a_login_that_ended_opens_nothing(sessions: Sessions) -> None:
    session = await sessions.session()
    ticket = await sessions.ticket(session)
    sessions.callers.end(session.owner)
    answer = await refused(sessions.open(session, ticket=ticket))
    assert answer == (grpc.StatusCode.PERMISSION_DENIED, "RIGHT_REVOKED")


async def test_deleting_a_session_ends_its_streams_and_refuses_its_unary_connections(
    sessions: Sessions,
) -> None:
    session = await sessions.session()
    line, unary = await sessions.attach(session), await sessions.open(session)
    unused = await sessions.ticket(session)
    await line.record(sessions.frame())
    await sessions.delete(session)
    assert await control(line) == Control.KIND_SESSION_DELETED
    answer = await refused(sessions.append(session, unary.connection_id, sessions.frame()))
    assert answer == (grpc.StatusCode.FAILED_PRECONDITION, "SESSION_DELETED")
    assert await refused(sessions.open(session, ticket=unused)) == TICKET_REFUSED
    assert (await refused(sessions.histories(session)))[1] == "SESSION_NOT_FOUND"
    open_ = "SELECT count(*) FROM wrtn_connections WHERE disconnect_time IS NULL"
    assert await sessions.rows(open_, session.owner.tenant_id) == [(0,)]


async def test_a_session_deleted_over_another_replica_ends_the_streams_of_this_one(
    sessions: Sessions,
) -> None:
    session = await sessions.session()
    line = await sessions.attach(session)
    await sessions.running.runtime.bus.ready()
    async with sessions.replica() as replica:
        await replica.delete(session)
        assert await control(line) == Control.KIND_SESSION_DELETED


async def test_a_login_that_ends_closes_its_streams_alone_within_a_second(sessions: Sessions) -> None:
    mine, theirs = await sessions.session(), await sessions.session()
    line, other = await sessions.attach(mine), await sessions.attach(theirs)
    bus = sessions.running.runtime.bus
    await bus.ready()
    sessions.callers.end(mine.owner)
    await bus.publish("wrtn.identity.v1.login.ended", str(mine.owner.token.login_id).encode())
    async with asyncio.timeout(1):
        assert await control(line) == Control.KIND_RIGHT_REVOKED
    await other.record(sessions.frame())


async def test_a_credential_that_is_revoked_closes_its_streams_within_a_second(sessions: Sessions) -> None:
    session = await sessions.session()
    line = await sessions.attach(session)
    bus = sessions.running.runtime.bus
    await bus.ready()
    sessions.callers.end(session.credential)
    revoked = str(session.credential.token.credential_id).encode()
    await bus.publish("wrtn.identity.v1.credential.revoked", revoked)
    async with asyncio.timeout(1):
        assert await control(line) == Control.KIND_RIGHT_REVOKED


async def test_a_drain_tells_streams_to_reconnect_after_answering_what_they_sent(
    sessions: Sessions,
) -> None:
    async with sessions.replica() as served:
        session = await served.session()
        line = await served.attach(session)
        await line.send(*(served.frame() for _ in range(50)))
        acks = await line.acks(50)
        served.running.runtime.draining.set()
        assert await control(line) == Control.KIND_SERVER_DRAINING
    assert acks[-1].sequence == 50
    async with sessions.replica() as replica:
        resumed = await replica.attach(session, resumed_connection_id=line.opened.connection_id)
        assert resumed.opened.last_sequence == 50
        (ack,) = await resumed.record(replica.frame())
        assert ack.sequence == 51


async def test_a_stream_that_was_aborted_is_recorded_as_ended_and_can_be_resumed(sessions: Sessions) -> None:
    session = await sessions.session()
    line = await sessions.attach(session)
    frames = [sessions.frame() for _ in range(30)]
    await line.send(*frames)
    await line.acks(1)
    line.call.cancel()

    async def ended() -> bool:
        return (await sessions.connections(session))[0].HasField("disconnect_time")

    await until(ended)
    resumed = await sessions.attach(session, resumed_connection_id=line.opened.connection_id)
    acks = await resumed.record(*frames)
    histories = await sessions.histories(session)
    assert {(ack.history_id, ack.sequence) for ack in acks} == {
        (each.id, each.sequence) for each in histories
    }
    assert [each.sequence for each in histories] == list(range(1, 31))


async def test_a_connection_that_ended_long_ago_is_not_resumed(sessions: Sessions) -> None:
    session = await sessions.session()
    line = await sessions.attach(session)
    await line.finish()
    async with sessions.database.app.transaction(Scope.of(session.owner.enterprise_id)) as tx:
        await (await tx.driver()).execute(
            "UPDATE wrtn_connections SET disconnect_time = disconnect_time - interval '11 minutes'"
        )
    answer = await refused(sessions.open(session, resumed_connection_id=line.opened.connection_id))
    assert answer == CONNECTION_NOT_FOUND


async def test_resuming_an_open_connection_ends_it(sessions: Sessions) -> None:
    session = await sessions.session()
    first = await sessions.open(session)
    second = await sessions.open(session, resumed_connection_id=first.connection_id)
    answer = await refused(sessions.append(session, first.connection_id, sessions.frame()))
    assert answer == (grpc.StatusCode.FAILED_PRECONDITION, "CONNECTION_CLOSED")
    assert (await sessions.append(session, second.connection_id, sessions.frame())).sequence == 1


@pytest.mark.parametrize("ended", [True, False])
async def test_of_many_who_resume_a_connection_at_once_one_gets_in(sessions: Sessions, ended: bool) -> None:
    session = await sessions.session()
    broken = await sessions.attach(session)
    if ended:
        await broken.finish()
    resumed = broken.opened.connection_id
    tries = await asyncio.gather(
        *(sessions.open(session, resumed_connection_id=resumed) for _ in range(8)), return_exceptions=True
    )
    errors = [each for each in tries if isinstance(each, grpc.aio.AioRpcError)]
    assert [refusal(each) for each in errors] == [CONNECTION_NOT_FOUND] * 7
    open_ = "SELECT count(*) FROM wrtn_connections WHERE disconnect_time IS NULL"
    assert await sessions.rows(open_, session.owner.tenant_id) == [(1,)]
    broken.call.cancel()


async def test_a_resumption_whose_opened_was_lost_is_made_again_with_the_same_id(sessions: Sessions) -> None:
    session = await sessions.session()
    broken = (await sessions.open(session)).connection_id
    lost = await sessions.attach(session, resumed_connection_id=broken)
    assert await refused(sessions.open(session, resumed_connection_id=broken)) == CONNECTION_NOT_FOUND
    lost.call.cancel()

    async def ended() -> bool:
        return all(each.HasField("disconnect_time") for each in await sessions.connections(session))

    await until(ended)
    again = await sessions.attach(session, resumed_connection_id=broken)
    assert (await again.record(sessions.frame()))[0].sequence == 1


async def test_a_connection_whose_continuation_was_resumed_itself_is_not_resumed_again(
    sessions: Sessions,
) -> None:
    session = await sessions.session()
    first = (await sessions.open(session)).connection_id
    second = (await sessions.open(session, resumed_connection_id=first)).connection_id
    third = (await sessions.open(session, resumed_connection_id=second)).connection_id
    assert await refused(sessions.open(session, resumed_connection_id=first)) == CONNECTION_NOT_FOUND
    assert (await sessions.append(session, third, sessions.frame())).sequence == 1


async def test_a_team_may_be_named_by_its_companions_alone(sessions: Sessions) -> None:
    enterprise_id = sessions.clock.new_id()
    above = sessions.callers.team(enterprise_id)
    team_id = sessions.callers.team(enterprise_id, above)
    companion = sessions.callers.employee(enterprise_id, TITLE_MEMBER, {team_id: ROLE_MEMBER})
    chief_above = sessions.callers.employee(enterprise_id, TITLE_MEMBER, {above: ROLE_MEMBER})
    opened = await sessions.open(await sessions.session(companion, team_id=team_id))
    assert (opened.tenant_id, opened.team_id) == (str(enterprise_id), str(team_id))
    for owner, team in ((chief_above, team_id), (companion, sessions.clock.new_id())):
        answer = await refused(sessions.session(owner, team_id=team))
        assert answer == (grpc.StatusCode.FAILED_PRECONDITION, "TEAM_NOT_JOINED")
    personal = sessions.callers.member()
    assert (await refused(sessions.session(personal, team_id=team_id)))[1] == "TEAM_NOT_JOINED"
    stranger = sessions.callers.member(tenant_id=enterprise_id)
    assert (await refused(sessions.session(stranger)))[1] == "ACCOUNT_FROZEN"
