"""The recorder in Python over the real service: what it records is there, and who watches sees it come."""

from __future__ import annotations

import json

import pytest
from google.protobuf.json_format import Parse, ParseDict

from clients.python.wrtn_recorder import FrameRejected, Opening, Recorder
from tests.sessions.make import Session, Sessions
from tests.sessions.running import Running
from tests.sessions.watching import watch
from wrtn.sessions.v1.histories_pb2 import ProcedureCall
from wrtn.sessions.v1.token_usage_pb2 import UsageUnits


def recorder(sessions: Sessions, session: Session) -> Recorder:
    """A recorder with the session's credential."""

    async def tokens(_fresh: bool) -> str:
        return session.credential.bearer

    return Recorder(f"127.0.0.1:{sessions.running.port}", tokens)


async def test_who_watches_sees_an_answer_grow_until_its_history_is_there(sessions: Sessions) -> None:
    session = await sessions.session()
    view = watch(sessions, session)
    assert await view.caught_up() == 0
    async with recorder(sessions, session) as made:
        recording = await made.attach(Opening(await sessions.ticket(session), client="test"))
        answer = recording.answer()
        answer.write("Hello ")
        answer.write("there")
        delta = await view.delta()
        assert (delta.history_id, delta.position, delta.text) == (answer.id, 0, "Hello there")
        answer.write("!")
        delta = await view.delta()
        assert (delta.position, delta.text) == (11, "!")
        stored = await recording.send("assistant_message", {"text": "Hello there!"}, frame_id=answer.id)
        (history,) = await view.histories(1)
        assert (history.id, history.sequence) == (stored.id, stored.sequence) == (answer.id, 1)
        assert json.loads(history.body) == {"text": "Hello there!"}
        await recording.close()
    (connection,) = await sessions.connections(session)
    assert connection.HasField("disconnect_time")
    assert connection.client == "test"


async def test_what_it_records_of_a_procedure_is_checked_by_its_forms(sessions: Sessions) -> None:
    running = Running(sessions)
    procedure_id = await running.published()
    run = await running.session(procedure_id)
    good, bad = (
        ParseDict({"arguments": each, "success": True, "value": {"sent": True}}, ProcedureCall())
        for each in ({"to": "ann@example.com", "copies": 2}, {})
    )
    async with recorder(sessions, run) as made:
        recording = await made.attach(Opening(await running.ticket(run)))
        opened = await recording.opened()
        assert (opened.procedure_id, opened.procedure_version) == (procedure_id, 1)
        with pytest.raises(FrameRejected, match="/arguments"):
            await recording.send("procedure_call", bad)
        await recording.send("procedure_call", good, units=UsageUnits(requests=2))
        await recording.close()
    (history,) = await running.histories(run)
    assert (history.type, history.units) == ("procedure_call", UsageUnits(requests=2))
    assert Parse(history.body, ProcedureCall()) == good
