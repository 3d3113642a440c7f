"""The recorder in Python, against a service that misbehaves on purpose."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from time import monotonic
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.protobuf.json_format import ParseDict

from chassis.testing.waiting import until
from clients.python.wrtn_recorder import (
    Bounds,
    Broken,
    Event,
    FrameRejected,
    Opening,
    Recorder,
    Recording,
    RecordingEnded,
    TooManyPending,
    Verbatim,
    token_usage,
)
from clients.python.wrtn_recorder import recording as recordings
from tests.clients.recorder import Code, Service, Stream
from wrtn.sessions.v1.histories_pb2 import AssistantMessage, ProcedureCall
from wrtn.sessions.v1.recorder_pb2 import Control, Frame
from wrtn.sessions.v1.token_usage_pb2 import UsageUnits

OPENING = Opening("ticket", client="test", address="127.0.0.1")


@pytest_asyncio.fixture
async def service() -> AsyncIterator[Service]:
    """The service, running."""
    made = await Service().start()  # type: ignore[abstract]  # the unary calls are left out
    yield made
    await made.stop()


@pytest_asyncio.fixture
async def events() -> list[Event]:
    """What the recording was told."""
    return []


Attach = Callable[..., Any]


@pytest_asyncio.fixture
async def attach(service: Service, events: list[Event]) -> AsyncIterator[Attach]:
    """Opens recordings, with bounds of their own if need be."""
    made: list[Recorder] = []

    async def tokens(fresh: bool) -> str:
        return "new" if fresh else "old"

    async def opened(**bounds: float) -> Recording:
        recorder = Recorder(f"127.0.0.1:{service.port}", tokens, bounds=Bounds(**bounds))  # type: ignore[arg-type]
        made.append(recorder)
        return await recorder.attach(OPENING, told=events.append)

    yield opened
    for each in made:
        await each.close()


def say(recording: Recording, text: str) -> asyncio.Future[Any]:
    """Sends a message."""
    return recording.send("user_message", {"text": text})


async def swallow(_frame: Frame, _stream: Stream) -> bool:
    """Leaves a frame unanswered."""
    return True


async def test_a_history_is_acknowledged_with_its_place_and_its_body_to_the_letter(
    service: Service, attach: Attach
) -> None:
    async with await attach() as recording:
        spent = "0195f1a0-0000-7000-8000-000000000001"
        usage = token_usage(read=10, cached=4, wrote=5, reasoning=2)
        more = {"usage": usage, "model": "openai/gpt-4.1", "reservation_id": spent, "file_ids": [spent]}
        stored = await recording.send("user_message", {"text": "안녕"}, **more)
        assert (await recording.send("own", Verbatim('{ "a":1 }'))).sequence == 2
    frame, verbatim = service.stored
    assert (stored.id, stored.sequence) == (frame.id, 1)
    assert (frame.type, frame.body, frame.model) == ("user_message", '{"text": "안녕"}', "openai/gpt-4.1")
    assert (frame.token_usage, frame.token_usage.total) == (usage, 15)
    assert (frame.reservation_id, list(frame.file_ids), verbatim.body) == (spent, [spent], '{ "a":1 }')
    (opening,) = service.openings
    assert (opening.ticket, opening.client, opening.address) == ("ticket", "test", "127.0.0.1")
    assert service.tokens == ["Bearer old"]
    assert not service.open, "the stream was half-closed and has ended"


async def test_a_history_of_a_documented_type_is_sent_as_the_json_of_its_message(
    service: Service, attach: Attach
) -> None:
    run = ParseDict({"arguments": {"to": "안녕"}, "success": False, "duration_ms": 2.5}, ProcedureCall())
    async with await attach() as recording:
        await recording.send("procedure_call", run, units=UsageUnits(requests=3))
        await recording.send("assistant_message", AssistantMessage(text="Hi", finish_reason="stop"))
    call, answer = service.stored
    assert (call.type, call.units) == ("procedure_call", UsageUnits(requests=3))
    assert json.loads(call.body) == {"arguments": {"to": "안녕"}, "success": False, "duration_ms": 2.5}
    assert (answer.body, answer.HasField("units")) == ('{"text": "Hi", "finish_reason": "stop"}', False)


async def test_what_was_not_acknowledged_is_sent_again_in_order_on_a_stream_that_resumes(
    service: Service, attach: Attach, events: list[Event]
) -> None:
    async with await attach() as recording:
        service.on_frame = swallow
        sent = [say(recording, text) for text in "abc"]
        await until(lambda: len(service.received) == 3)
        service.on_frame = None
        await service.break_all()
        assert [each.sequence for each in await asyncio.gather(*sent)] == [1, 2, 3]
    assert [json.loads(each.body)["text"] for each in service.stored] == ["a", "b", "c"]
    assert set(service.received.values()) == {2}
    assert service.openings[1].resumed_connection_id == "connection-1"
    assert any(isinstance(each, Broken) for each in events)


async def test_it_comes_back_after_a_long_rest_and_what_was_sent_meanwhile_is_stored(
    service: Service, attach: Attach, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with await attach(patience=60.0) as recording:
        rested = monotonic() + 3600
        monkeypatch.setattr(recordings, "monotonic", lambda: rested)
        port = service.port
        await service.stop()
        await until(lambda: any(isinstance(each, Broken) for each in events))
        sent = say(recording, "while away")
        await service.start(port)
        assert (await sent).sequence == 1
    assert service.openings[1].resumed_connection_id == "connection-1"


async def test_a_frame_that_is_refused_raises_alone_and_the_recording_goes_on(
    service: Service, attach: Attach
) -> None:
    async def refuse(frame: Frame, stream: Stream) -> bool:
        if "bad" in frame.body:
            await stream.refuse(frame.id, Code.ALREADY_EXISTS, "other body")
        return "bad" in frame.body

    service.on_frame = refuse
    async with await attach() as recording:
        with pytest.raises(FrameRejected, match="other body") as refused:
            await say(recording, "bad")
        assert refused.value.code == Code.ALREADY_EXISTS.value[0]
        assert (await say(recording, "good")).sequence == 1


async def test_a_frame_of_unknown_fate_is_sent_again(service: Service, attach: Attach) -> None:
    async def doubt(frame: Frame, stream: Stream) -> bool:
        service.on_frame = None
        await stream.refuse(frame.id, Code.UNAVAILABLE, "fate unknown")
        return True

    service.on_frame = doubt
    async with await attach() as recording:
        assert (await say(recording, "x")).sequence == 1
    assert len(service.openings) == 2


async def test_pieces_of_an_answer_are_shown_in_place_and_gathered(service: Service, attach: Attach) -> None:
    async with await attach() as recording:
        writing = recording.answer()
        whole = "안녕 😀 " * 2000
        for character in whole:
            writing.write(character)
        await until(lambda: "".join(each.text for each in service.shown) == whole)
        utf16 = whole.encode("utf-16-le")
        for each in service.shown:
            assert each.history_id == writing.id
            assert utf16[2 * each.position :].startswith(each.text.encode("utf-16-le"))
            assert len(each.text.encode()) <= 16 * 1024
        assert len(service.shown) < 100

        async def slower(frame: Frame, stream: Stream) -> bool:
            await stream.refuse(frame.id, Code.RESOURCE_EXHAUSTED, "slower", delta=True)
            return False

        service.on_frame = slower
        stored = await recording.send("assistant_message", {"text": whole}, frame_id=writing.id)
        assert (stored.id, stored.sequence) == (writing.id, 1)
    assert len(service.openings) == 1, "a piece that is refused ends nothing"


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (Control.KIND_SESSION_DELETED, "session_deleted"),
        (Control.KIND_RIGHT_REVOKED, "right_revoked"),
        (Control.KIND_ACCOUNT_TRANSFERRED, "account_transferred"),
    ],
)
async def test_a_word_of_the_service_ends_it_and_what_waits(
    service: Service, attach: Attach, events: list[Event], kind: Control.Kind.ValueType, why: str
) -> None:
    recording = await attach()
    service.on_frame = swallow
    sent = say(recording, "x")
    await service.tell(kind)
    with pytest.raises(RecordingEnded) as ended:
        await sent
    assert ended.value.why == why
    assert events[-1] is ended.value
    with pytest.raises(RecordingEnded):
        say(recording, "y")
    await recording.close()


async def test_a_server_that_drains_is_left_for_another_without_a_loss(
    service: Service, attach: Attach, events: list[Event]
) -> None:
    async with await attach() as recording:
        await service.tell(Control.KIND_SERVER_DRAINING)
        await service.break_all()
        assert (await say(recording, "x")).sequence == 1
    kinds = [each.kind for each in events if isinstance(each, Control)]
    assert kinds == [Control.KIND_SERVER_DRAINING]


async def test_a_refused_ticket_ends_it_at_once(service: Service, attach: Attach) -> None:
    service.on_open = lambda _stream: Code.NOT_FOUND
    with pytest.raises(RecordingEnded) as ended:
        await attach()
    assert (ended.value.why, ended.value.code) == ("refused", grpc.StatusCode.NOT_FOUND)
    assert len(service.openings) == 1


async def test_a_service_token_that_ended_is_exchanged_once(service: Service, attach: Attach) -> None:
    service.on_open = lambda stream: Code.UNAUTHENTICATED if stream.token == "Bearer old" else None
    async with await attach():
        assert service.tokens == ["Bearer old", "Bearer new"]
    service.on_open = lambda _stream: Code.UNAUTHENTICATED
    with pytest.raises(RecordingEnded) as ended:
        await attach()
    assert ended.value.why == "refused"
    assert len(service.tokens) == 4


async def test_a_silent_stream_is_given_up_and_resumed(
    service: Service, attach: Attach, events: list[Event]
) -> None:
    async with await attach(silence=0.05) as recording:
        service.on_frame = swallow
        sent = say(recording, "x")
        await until(lambda: any("silent" in str(each) for each in events if isinstance(each, Broken)))
        service.on_frame = None
        assert (await sent).sequence == 1


async def test_frames_are_bounded_while_the_service_says_nothing(service: Service, attach: Attach) -> None:
    recording = await attach(most_pending=2)
    service.on_frame = swallow
    sent = [say(recording, text) for text in "ab"]
    with pytest.raises(TooManyPending):
        say(recording, "c")
    await recording.abort()
    assert all(isinstance(each.exception(), RecordingEnded) for each in sent)


async def test_a_service_that_stays_away_is_given_up_after_a_while(service: Service, attach: Attach) -> None:
    recording = await attach(patience=0.1)
    await service.stop()
    with pytest.raises(RecordingEnded) as ended:
        await say(recording, "x")
    assert ended.value.why == "unreachable"


async def test_closing_waits_for_what_is_due(service: Service, attach: Attach) -> None:
    recording = await attach()
    sent = [say(recording, str(number)) for number in range(50)]
    await recording.close()
    assert all(each.done() for each in sent)
    assert len(service.stored) == 50
    with pytest.raises(RecordingEnded):
        say(recording, "late")
