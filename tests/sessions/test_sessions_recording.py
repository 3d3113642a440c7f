"""Frames over streams and without: durable, in order, once."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from chassis.events import relay
from chassis.testing.waiting import until
from tests.sessions.make import RECORD, Session, Sessions, reason, refusal, tokens
from wrtn.access.v1.access_pb2 import ROLE_CHIEF, ROLE_MEMBER, TITLE_MANAGER
from wrtn.sessions.v1.events_pb2 import UsageRecorded
from wrtn.sessions.v1.recorder_pb2 import AttachRequest, CloseConnectionRequest, OpenConnectionRequest

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_frame_is_acked_when_it_is_durable_and_reads_back_to_the_letter(sessions: Sessions) -> None:
    session = await sessions.session()
    line = await sessions.attach(session, client="Firefox", address="192.0.2.1")
    body = '{ "text": "안녕 \\u00e9",  "n": 1.50, "deep": [[{}]] }'
    frame = sessions.frame(body, type="assistant_message", token_usage=tokens(100, 20, cached=7))
    (ack,) = await line.record(frame)
    assert (ack.history_id, ack.sequence) == (frame.id, 1)
    (history,) = await sessions.histories(session)
    assert (history.id, history.sequence, history.type, history.body) == (frame.id, 1, frame.type, body)
    assert history.connection_id == line.opened.connection_id
    assert history.create_time == ack.create_time
    assert history.token_usage == frame.token_usage
    assert await line.finish() == []
    (connection,) = await sessions.connections(session)
    assert (connection.client, connection.address) == ("Firefox", "192.0.2.1")
    assert connection.disconnect_time.ToDatetime() >= connection.connect_time.ToDatetime()


async def test_frames_of_a_stream_keep_their_order_without_gaps(sessions: Sessions) -> None:
    session = await sessions.session()
    line = await sessions.attach(session)
    frames = [sessions.frame(f'{{"n":{number}}}') for number in range(700)]
    sending = asyncio.create_task(line.send(*frames))
    acks = await line.acks(len(frames))
    await sending
    assert [ack.history_id for ack in acks] == [frame.id for frame in frames]
    assert [ack.sequence for ack in acks] == list(range(1, 701))
    assert [each.body for each in await sessions.histories(session)] == [frame.body for frame in frames]


async def test_two_hundred_frames_at_once_over_twenty_sessions_of_several_tenants(sessions: Sessions) -> None:
    credential = sessions.callers.credential(RECORD)
    owners = [sessions.callers.member() for _ in range(5)]
    made = [await sessions.session(owners[number % 5], credential) for number in range(20)]
    opened = [await sessions.open(session) for session in made]

    async def append(number: int) -> tuple[int, int]:
        usage = tokens(number, 1)
        frame = sessions.frame(token_usage=usage)
        ack = await sessions.append(made[number % 20], opened[number % 20].connection_id, frame)
        return number % 20, ack.sequence

    acked = await asyncio.gather(*(append(number) for number in range(200)))
    assert sorted(acked) == [(session, place) for session in range(20) for place in range(1, 11)]
    for number, session in enumerate(made):
        histories = await sessions.histories(session)
        assert [each.sequence for each in histories] == list(range(1, 11))
        usage = await sessions.usage(session)
        assert usage.total == sum(each.token_usage.total for each in histories)
        assert usage.input.total == sum(range(number, 200, 20))
    tenants = [each.tenant_id for each in owners]
    events = await sessions.told(*tenants)
    assert len(events) == len({event.history_id for event in events}) == 200


async def test_what_a_frame_used_is_published_at_once(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "IDLE", 600)  # nothing is found by looking now and then
    line = await sessions.attach(await sessions.session())
    for _ in range(2):  # what rested for a second before may find the first one still
        await line.record(sessions.frame(token_usage=tokens(1, 1)))
        await until(sessions.relayed)


async def test_a_resent_frame_is_acked_again_and_stored_once(sessions: Sessions) -> None:
    session = await sessions.session()
    line = await sessions.attach(session)
    frame = sessions.frame(token_usage=tokens(10, 5))
    first, twin = await line.record(frame, frame)
    (later,) = await line.record(frame)
    assert first == twin == later
    unary = await sessions.open(session)
    assert await sessions.append(session, unary.connection_id, frame) == first
    assert len(await sessions.histories(session)) == 1
    assert (await sessions.usage(session)).total == 15
    assert len(await sessions.told(session.owner.tenant_id)) == 1


@pytest.mark.parametrize(
    "change", [{"body": "2"}, {"type": "other"}, {"token_usage": tokens(1, 2)}, {"model": "openai/other"}]
)
async def test_a_known_id_with_another_content_is_a_conflict(
    sessions: Sessions, change: dict[str, Any]
) -> None:
    session = await sessions.session()
    line = await sessions.attach(session)
    frame = sessions.frame("1", token_usage=tokens(1, 1))
    await line.record(frame)
    fields: dict[str, Any] = {"id": frame.id, "body": "1", "token_usage": tokens(1, 1)}
    await line.send(sessions.frame(**(fields | change)), sessions.frame())
    rejected, acked = await line.read(), await line.read()
    assert reason(rejected.rejection.status) == "HISTORY_CONFLICT"
    assert rejected.rejection.status.code == grpc.StatusCode.ALREADY_EXISTS.value[0]
    assert acked.ack.sequence == 2


async def test_a_conflict_within_one_batch_refuses_the_second_alone(sessions: Sessions) -> None:
    session = await sessions.session()
    line = await sessions.attach(session)
    frame = sessions.frame("1")
    await line.send(frame, sessions.frame("2", id=frame.id), sessions.frame("3"))
    answers = [await line.read() for _ in range(3)]
    assert [each.WhichOneof("message") for each in answers] == ["ack", "rejection", "ack"]
    assert [each.body for each in await sessions.histories(session)] == ["1", "3"]


async def test_an_id_of_another_session_of_the_tenant_is_a_conflict(sessions: Sessions) -> None:
    first = await sessions.session()
    second = await sessions.session(first.owner, first.credential)
    frame = sessions.frame()
    await (await sessions.attach(first)).record(frame)
    line = await sessions.attach(second)
    await line.send(frame)
    assert reason((await line.read()).rejection.status) == "HISTORY_CONFLICT"


async def test_an_id_of_a_neighbour_is_free(sessions: Sessions) -> None:
    frame = sessions.frame("1")
    mine, theirs = await sessions.session(), await sessions.session()
    (ack,) = await (await sessions.attach(mine)).record(frame)
    (other,) = await (await sessions.attach(theirs)).record(sessions.frame("2", id=frame.id))
    assert ack.sequence == other.sequence == 1
    assert [each.body for each in await sessions.histories(mine)] == ["1"]
    assert [each.body for each in await sessions.histories(theirs)] == ["2"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"id": "no-uuid"}, "REQUEST_INVALID"),
        ({"type": "Not A Type"}, "REQUEST_INVALID"),
        ({"body": ""}, "REQUEST_INVALID"),
        ({"body": '"' + "x" * (1 << 20) + '"'}, "REQUEST_INVALID"),
        ({"token_usage": tokens(1, 1, cached=2)}, "REQUEST_INVALID"),
        ({"model": "a\0b"}, "REQUEST_INVALID"),
        ({"body": "{"}, "BODY_INVALID"),
        ({"body": "NaN"}, "BODY_INVALID"),
        ({"body": "[" * 100_000}, "BODY_INVALID"),
        ({"body": '{"a":1} trailing'}, "BODY_INVALID"),
    ],
    ids=str,
)
async def test_a_bad_frame_is_rejected_and_the_stream_goes_on(
    sessions: Sessions, fields: dict[str, Any], expected: str
) -> None:
    line = await sessions.attach(await sessions.session())
    await line.send(sessions.frame(**fields), sessions.frame())
    rejected, acked = await line.read(), await line.read()
    assert reason(rejected.rejection.status) == expected
    assert acked.ack.sequence == 1


async def test_a_stream_must_be_opened_first_and_once(sessions: Sessions) -> None:
    session = await sessions.session()
    unopened = sessions.dial(session.credential)
    await unopened.send(sessions.frame())
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await unopened.rest()
    assert refusal(refused.value) == (grpc.StatusCode.INVALID_ARGUMENT, "OPEN_FIRST")
    line = await sessions.attach(session)
    await line.send(frame := sessions.frame())
    again = OpenConnectionRequest(ticket=await sessions.ticket(session))
    await line.call.write(AttachRequest(open=again))
    (ack,) = await line.acks(1)
    assert ack.history_id == frame.id
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await line.rest()
    assert refusal(refused.value) == (grpc.StatusCode.INVALID_ARGUMENT, "OPEN_FIRST")


async def test_half_closing_answers_everything_before_the_end(sessions: Sessions) -> None:
    line = await sessions.attach(await sessions.session())
    await line.send(*(sessions.frame() for _ in range(100)))
    answers = await line.finish()
    assert [each.ack.sequence for each in answers] == list(range(1, 101))
    assert await line.call.code() == grpc.StatusCode.OK


async def test_a_session_without_usage_answers_zeros_in_every_part(sessions: Sessions) -> None:
    usage = await sessions.usage(await sessions.session())
    assert usage.total == 0
    assert usage.HasField("input")
    assert usage.HasField("output")


async def test_usage_is_told_with_the_attribution_of_that_moment(sessions: Sessions) -> None:
    enterprise_id = sessions.clock.new_id()
    above = sessions.callers.team(enterprise_id)
    team_id = sessions.callers.team(enterprise_id, above)
    owner = sessions.callers.employee(enterprise_id, TITLE_MANAGER, {team_id: ROLE_MEMBER, above: ROLE_CHIEF})
    session = await sessions.session(owner, team_id=team_id)
    line = await sessions.attach(session)
    frame = sessions.frame(token_usage=tokens(3, 4, reasoning=2))
    (ack,) = await line.record(frame)
    ((tenant_id, aggregate_id, payload),) = await sessions.outbox("usage.recorded", enterprise_id)
    event = UsageRecorded.FromString(payload)
    assert (tenant_id, str(aggregate_id)) == (enterprise_id, frame.id)
    assert (event.history_id, event.chat_session_id, event.model) == (frame.id, session.id, "openai/gpt-4.1")
    assert event.tokens == frame.token_usage
    assert event.use_time == ack.create_time
    whose = event.attribution
    assert (whose.account_id, whose.member_id) == (str(owner.account_id), str(owner.member_id))
    assert whose.employee_id
    assert (whose.team_id, list(whose.ancestor_team_ids)) == (str(team_id), [str(above)])
    assert (whose.title, whose.role) == (2, 3)
    ((kept,),) = await sessions.rows("SELECT employee_id FROM wrtn_attributions", enterprise_id)
    assert str(kept) == whose.employee_id


async def test_a_frame_may_name_the_model_that_it_used(sessions: Sessions) -> None:
    session = await sessions.session()
    line = await sessions.attach(session)
    await line.record(sessions.frame(token_usage=tokens(1, 1), model="anthropic/claude-opus-4"))
    (event,) = await sessions.told(session.owner.tenant_id)
    assert event.model == "anthropic/claude-opus-4"


async def test_a_connection_without_stream_records_until_it_is_closed(sessions: Sessions) -> None:
    session = await sessions.session()
    opened = await sessions.open(session)
    frame = sessions.frame()
    ack = await sessions.append(session, opened.connection_id, frame)
    for _ in range(2):
        await sessions.recorder.CloseConnection(
            _closing(opened.connection_id), metadata=session.credential.metadata
        )
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await sessions.append(session, opened.connection_id, sessions.frame())
    assert refusal(refused.value) == (grpc.StatusCode.FAILED_PRECONDITION, "CONNECTION_CLOSED")
    assert await sessions.append(session, opened.connection_id, frame) == ack
    (connection,) = await sessions.connections(session)
    assert connection.HasField("disconnect_time")


async def test_another_credential_does_not_know_the_connection(sessions: Sessions) -> None:
    session = await sessions.session()
    opened = await sessions.open(session)
    stranger = Session(session.id, session.owner, sessions.callers.credential(RECORD))
    for connection_id in (opened.connection_id, str(sessions.clock.new_id())):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await sessions.append(stranger, connection_id, sessions.frame())
        assert refusal(refused.value) == (grpc.StatusCode.NOT_FOUND, "CONNECTION_NOT_FOUND")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await sessions.recorder.CloseConnection(
                _closing(connection_id), metadata=stranger.credential.metadata
            )
        assert refusal(refused.value) == (grpc.StatusCode.NOT_FOUND, "CONNECTION_NOT_FOUND")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await sessions.open(stranger, resumed_connection_id=connection_id)
        assert refusal(refused.value) == (grpc.StatusCode.NOT_FOUND, "CONNECTION_NOT_FOUND")


def _closing(connection_id: str) -> CloseConnectionRequest:
    return CloseConnectionRequest(connection_id=connection_id)
