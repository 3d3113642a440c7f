"""Procedure sessions: recorded, kept and shown as chats are, and checked by the forms of their version."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID

import grpc
import pytest

from chassis.events.envelope import subject_of
from chassis.testing.callers import Known
from services.sessions.forms import Form, compiled, known
from services.sessions.forms.errors import CallTooLarge
from tests.sessions.make import MODEL, Line, Session, Sessions, reason, refusal, tokens
from tests.sessions.running import FORM, VALUE, Running
from tests.sessions.test_sessions_files import PNG, Desk
from tests.sessions.test_sessions_keeping import Keeping
from tests.sessions.watching import watch
from wrtn.access.v1.access_pb2 import (
    ROLE_CHIEF,
    ROLE_MEMBER,
    STAFF_RIGHT_MODERATOR,
    TITLE_MANAGER,
    TITLE_MEMBER,
    TITLE_OWNER,
)
from wrtn.enterprise.v1.events_pb2 import GrantChanged
from wrtn.sessions.v1 import chat_sessions_pb2 as chats
from wrtn.sessions.v1 import procedure_sessions_pb2 as pb
from wrtn.sessions.v1.recorder_pb2 import Control, Frame

GOOD = {"to": "ann@example.com"}
NOT_FOUND = (grpc.StatusCode.NOT_FOUND, "SESSION_NOT_FOUND")


async def refused(call: Any) -> tuple[grpc.StatusCode, str]:
    """Answers how a call is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return refusal(error.value)


async def rejected(line: Line, frame: Frame) -> tuple[str, str]:
    """Sends a frame that is rejected; answers why, in short and in a sentence."""
    await line.send(frame)
    status = (await line.read()).rejection.status
    return reason(status), status.message


async def test_arguments_and_values_are_checked_and_a_neighbour_notices_nothing(sessions: Sessions) -> None:
    running = Running(sessions)
    procedure_id = await running.published()
    session = await running.session(procedure_id)
    line = await running.attach(session)
    assert (line.opened.procedure_id, line.opened.procedure_version) == (procedure_id, 1)
    neighbour = await sessions.attach(await sessions.session())
    bad = [
        (running.call({}), "ARGUMENTS_INVALID", "/arguments:"),
        (running.call({"to": "not an address"}), "ARGUMENTS_INVALID", "/arguments/to:"),
        (running.call(GOOD | {"copies": 0}), "ARGUMENTS_INVALID", "/arguments/copies:"),
        (running.call(GOOD | {"bcc": "secret"}), "ARGUMENTS_INVALID", "/arguments:"),
        (running.call("a text"), "ARGUMENTS_INVALID", "/arguments:"),
        (sessions.frame('["no object"]'), "ARGUMENTS_INVALID", "/arguments:"),
        (sessions.frame('{"text":"hello"}'), "ARGUMENTS_INVALID", "/arguments:"),
        (running.call(GOOD, success="yes"), "VALUE_INVALID", "/success:"),
        (running.call(GOOD, success=True), "VALUE_INVALID", "/value:"),
        (running.call(GOOD, success=True, value={"sent": 1}), "VALUE_INVALID", "/value/sent:"),
        (sessions.frame("[1"), "BODY_INVALID", ""),
        (sessions.frame('{"arguments":{"copies":' + "9" * 5000 + "}}"), "BODY_INVALID", ""),
    ]
    for frame, why, path in bad:
        found, sentence = await rejected(line, frame)
        assert (found, path in sentence) == (why, True), sentence
        assert "secret" not in sentence
        assert "not an address" not in sentence
        await neighbour.record(sessions.frame())
    # What was refused left no trace: the first place is still free, and the id of a refused frame, too.
    frame = bad[0][0]
    frame.body = running.call(GOOD).body
    (ack,) = await line.record(frame)
    assert ack.sequence == 1
    good = (
        running.call(GOOD | {"copies": 2}),
        running.call(GOOD, success=False, value=7, error="The server was away."),
        running.call(GOOD, success=True, value={"sent": True}),
    )
    assert [each.sequence for each in await line.record(*good)] == [2, 3, 4]
    stored = await running.histories(session)
    assert [each.body for each in stored] == [each.body for each in (frame, *good)]
    assert {each.type for each in stored} == {"procedure_call"}
    # A resent frame is acked again, and over a connection without a stream it is all the same.
    opened = await sessions.open(session, ticket=await running.ticket(session))
    assert (await sessions.append(session, opened.connection_id, good[0])).sequence == 2
    assert await refused(sessions.append(session, opened.connection_id, running.call({}))) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "ARGUMENTS_INVALID",
    )


async def test_a_session_keeps_the_version_with_which_it_was_created(sessions: Sessions) -> None:
    running = Running(sessions)
    procedure_id = await running.published()
    first = await running.session(procedure_id)
    await running.version(procedure_id, {"type": "object", "required": ["from"]})
    second = await running.session(procedure_id, first.owner)
    chosen = await running.session(procedure_id, first.owner, procedure_version=1)
    for session in (first, chosen):
        await (await running.attach(session)).record(running.call(GOOD))
    line = await running.attach(second)
    assert (await rejected(line, running.call(GOOD)))[0] == "ARGUMENTS_INVALID"
    await line.record(running.call({"from": 1}, success=True))
    assert await refused(running.session(procedure_id, procedure_version=3)) == (
        grpc.StatusCode.NOT_FOUND,
        "PROCEDURE_VERSION_NOT_FOUND",
    )
    # Once withdrawn it begins nothing, and what began goes on.
    await running.withdraw(procedure_id)
    assert await refused(running.session(procedure_id)) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "PROCEDURE_WITHDRAWN",
    )
    await (await running.attach(second)).record(running.call({"from": 2}))
    draft = await running.create(code="other")
    for unknown in (draft.id, str(sessions.clock.new_id())):
        assert await refused(running.session(unknown)) == (
            grpc.StatusCode.NOT_FOUND,
            "PROCEDURE_NOT_FOUND",
        )


async def test_usage_says_for_which_procedure_it_was_and_by_which_model(sessions: Sessions) -> None:
    running = Running(sessions)
    procedure_id = await running.published()
    # Without a model it is a run of the procedure, which has a price of its own.
    run = f"procedure/{procedure_id}"
    line = await running.attach(await running.session(procedure_id))
    await line.record(running.call(GOOD, token_usage=tokens(0, 0)))
    await line.record(running.call(GOOD, token_usage=tokens(10, 2), model="anthropic/claude-opus-4"))
    other = await running.attach(await running.session(procedure_id, model=MODEL))
    await other.record(running.call(GOOD, token_usage=tokens(3, 4)))
    await other.record(running.call(GOOD, token_usage=tokens(0, 0), model=run))
    await (await sessions.attach(await sessions.session())).record(sessions.frame(token_usage=tokens(1, 1)))
    found = await sessions.told()
    assert [(each.procedure_id, each.model) for each in found] == [
        (procedure_id, run),
        (procedure_id, "anthropic/claude-opus-4"),
        (procedure_id, MODEL),
        (procedure_id, run),
        ("", MODEL),
    ]


async def test_the_grant_of_the_procedure_is_asked_for_at_creation_at_connecting_and_while_it_lasts(
    sessions: Sessions,
) -> None:
    running, callers = Running(sessions), sessions.callers
    procedure_id = await running.published()
    enterprise_id = sessions.clock.new_id()
    team_id = callers.team(enterprise_id)
    owner = callers.employee(enterprise_id, TITLE_MEMBER, {team_id: ROLE_MEMBER})
    session = await running.session(procedure_id, owner, team_id=team_id)
    ticket, line = await running.ticket(session), await running.attach(session)
    denied = (grpc.StatusCode.PERMISSION_DENIED, "PROCEDURE_NOT_GRANTED")
    callers.denied.add(f"procedure:{procedure_id}")
    assert await refused(running.session(procedure_id, owner)) == denied
    assert await refused(running.ticket(session)) == denied
    assert await refused(sessions.open(session, ticket=ticket)) == denied
    assert (await running.session(procedure_id)).id, "a personal account needs no grant"
    bus = sessions.running.runtime.bus
    event = GrantChanged(enterprise_id=str(enterprise_id), resource=f"procedure:{procedure_id}")
    await bus.ready()
    await bus.publish(subject_of(GrantChanged), event.SerializeToString())
    async with asyncio.timeout(1):
        assert (await line.rest())[-1].control.kind == Control.KIND_RIGHT_REVOKED
    callers.denied = {f"model:{MODEL}", f"model:procedure/{procedure_id}"}
    assert (await refused(running.session(procedure_id, owner, model=MODEL)))[1] == "MODEL_NOT_GRANTED"
    # What stands for the procedure itself as a model needs no grant but that of the procedure.
    again = await running.attach(await running.session(procedure_id, owner))
    own = f"procedure/{procedure_id}"
    await again.record(running.call(GOOD, token_usage=tokens(0, 0), model=own))


async def test_chats_and_runs_are_apart_though_all_else_is_the_same(sessions: Sessions) -> None:
    running, callers = Running(sessions), sessions.callers
    procedure_id = await running.published()
    enterprise_id = sessions.clock.new_id()
    team_id = callers.team(enterprise_id)
    owner = callers.employee(enterprise_id, TITLE_MEMBER, {team_id: ROLE_MEMBER})
    chief = callers.employee(enterprise_id, TITLE_MEMBER, {team_id: ROLE_CHIEF})
    manager = callers.employee(enterprise_id, TITLE_MANAGER)
    moderator = callers.member(staff=STAFF_RIGHT_MODERATOR)
    chat = await sessions.session(owner, team_id=team_id)
    run = await running.session(procedure_id, owner, team_id, title="To Ann")
    assert await chat_ids(sessions, owner) == [chat.id]
    enterprise = str(enterprise_id)
    of_team = pb.ListTeamProcedureSessionsRequest(
        enterprise_id=enterprise, team_id=str(team_id), procedure_id=procedure_id
    )
    of_enterprise = pb.ListEnterpriseProcedureSessionsRequest(enterprise_id=enterprise)
    titled = pb.ListProcedureSessionsRequest(title="ann")
    found = pb.SearchProcedureSessionsRequest(tenant_id=enterprise)
    pages: tuple[Any, ...] = (
        await running.runs.ListProcedureSessions(titled, metadata=owner.metadata),
        await running.runs.ListTeamProcedureSessions(of_team, metadata=chief.metadata),
        await running.runs.ListEnterpriseProcedureSessions(of_enterprise, metadata=manager.metadata),
        await running.runs.SearchProcedureSessions(found, metadata=moderator.metadata),
    )
    for page, title in zip(pages, ("To Ann", "", "", ""), strict=True):
        (shown,) = page.procedure_sessions
        assert (shown.id, shown.procedure_id, shown.procedure_version) == (run.id, procedure_id, 1)
        assert shown.title == title
    # By the name of the other kind neither is found.
    wrong = (
        sessions.chats.GetChatSession(
            chats.GetChatSessionRequest(chat_session_id=run.id), metadata=owner.metadata
        ),
        running.runs.GetProcedureSession(
            pb.GetProcedureSessionRequest(procedure_session_id=chat.id), metadata=owner.metadata
        ),
        running.ticket(Session(chat.id, owner, chat.credential)),
        # Nor is a run that is another's, though it is of the same enterprise and team.
        running.ticket(Session(run.id, chief, run.credential)),
        sessions.delete(Session(run.id, owner, run.credential)),
        sessions.usage(run),
    )
    for attempt in wrong:
        assert await refused(attempt) == NOT_FOUND


async def chat_ids(sessions: Sessions, owner: Known) -> list[str]:
    """Lists the chats of an account."""
    page = await sessions.chats.ListChatSessions(chats.ListChatSessionsRequest(), metadata=owner.metadata)
    return [each.id for each in page.chat_sessions]


async def test_a_run_is_watched_exported_starred_deleted_and_brought_back_as_a_chat_is(
    sessions: Sessions,
) -> None:
    running = Running(sessions)
    run = await running.session(await running.published(), title="To Ann")
    mine = run.owner.metadata
    line, view = await running.attach(run), watch(sessions, run)
    await view.caught_up()
    await line.record(running.call(GOOD, success=True, value={"sent": True}))
    assert [each.type for each in await view.histories(1)] == ["procedure_call"]
    starred = pb.UpdateProcedureSessionRequest(
        procedure_session=pb.ProcedureSession(id=run.id, favourite=True, title="To Ann, again")
    )
    changed = await running.runs.UpdateProcedureSession(starred, metadata=mine)
    assert (changed.favourite, changed.title) == (True, "To Ann, again")
    document = json.loads(await exported(running, run, pb.ExportProcedureSessionRequest.FORMAT_JSON))
    assert document["procedureSession"]["procedureId"] == changed.procedure_id
    assert document["histories"][0]["body"]["arguments"] == GOOD
    text = await exported(running, run, pb.ExportProcedureSessionRequest.FORMAT_MARKDOWN)
    assert "# To Ann, again" in text
    assert '{"to": "ann@example.com"}' in text
    assert '{"sent": true}' in text
    (connection,) = (
        await running.runs.ListProcedureConnections(
            pb.ListProcedureConnectionsRequest(procedure_session_id=run.id), metadata=mine
        )
    ).connections
    assert connection.chat_session_id == run.id
    await running.runs.DeleteProcedureSession(
        pb.DeleteProcedureSessionRequest(procedure_session_id=run.id), metadata=mine
    )
    async with asyncio.timeout(2):
        assert (await line.rest())[-1].control.kind == Control.KIND_SESSION_DELETED
        assert await view.control() == Control.KIND_SESSION_DELETED
    undelete = pb.UndeleteProcedureSessionRequest(procedure_session_id=run.id)
    assert (await running.runs.UndeleteProcedureSession(undelete, metadata=mine)).id == run.id
    told = [
        len(await sessions.outbox(f"procedure_session.{each}"))
        for each in ("created", "deleted", "undeleted")
    ]
    assert told == [1, 1, 1]
    assert await sessions.outbox("chat_session.created") == []


async def test_a_run_has_files_is_held_by_law_and_purged_as_a_chat_is(sessions: Sessions) -> None:
    running, enterprise_id = Running(sessions), sessions.clock.new_id()
    owner = sessions.callers.employee(enterprise_id, TITLE_OWNER)
    person = sessions.callers.employee(enterprise_id, TITLE_MEMBER)
    run = await running.session(await running.published(), person, title="To Ann")
    desk, keeping = Desk(sessions, run), Keeping(sessions, run, owner)
    file = await desk.ready()
    frame = running.call(GOOD)
    frame.file_ids.append(file.id)
    await (await running.attach(run)).record(frame)
    assert [list(each.file_ids) for each in await running.histories(run)] == [[file.id]]
    assert await desk.download(file) == PNG
    sessions.callers.readable.add(enterprise_id)
    read = pb.GetProcedureSessionRequest(procedure_session_id=run.id)
    assert (await running.runs.GetProcedureSession(read, metadata=owner.metadata)).title == "To Ann"
    hold = await keeping.hold(chat_session_id=run.id)
    deleted = pb.DeleteProcedureSessionRequest(procedure_session_id=run.id)
    await running.runs.DeleteProcedureSession(deleted, metadata=person.metadata)
    await keeping.age(days=40)
    await keeping.purging.run()
    assert all(await keeping.bodies())
    await keeping.release(hold.id)
    await keeping.purging.run()
    assert (await keeping.bodies(), desk.blobs()) == ([0], 0)
    assert [row[1] for row in await sessions.outbox("procedure_session.purged")] == [UUID(run.id)]
    assert "procedure_session.read" in [each.action for each in await keeping.audited()]


async def exported(
    running: Running, run: Session, format_: pb.ExportProcedureSessionRequest.Format.ValueType
) -> str:
    """Answers a transcript."""
    request = pb.ExportProcedureSessionRequest(procedure_session_id=run.id, format=format_)
    call = running.runs.ExportProcedureSession(request, metadata=run.owner.metadata)
    return b"".join([each.data async for each in call]).decode()


async def test_the_forms_in_use_are_compiled_once_and_only_so_many_are_kept(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    class Counted(Form):
        def __init__(self, input_form: str, output_schema: str) -> None:
            made.append(1)
            super().__init__(input_form, output_schema)

    monkeypatch.setattr(known, "Form", Counted)
    monkeypatch.setattr(known, "MOST_KEPT", 2)
    running = Running(sessions)
    one, two, three = [await running.published(code=f"p{number}") for number in range(3)]
    owner = sessions.callers.member()
    for procedure_id in (one, one, two, one):
        await running.attach(await running.session(procedure_id, owner))
    assert len(made) == 2
    for procedure_id in (three, one, two):
        await running.attach(await running.session(procedure_id, owner))
    assert len(made) == 4


def test_how_long_a_body_may_be_depends_on_the_parts_of_the_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "MOST_WORK", 1_000)
    form = Form(json.dumps(FORM), json.dumps(VALUE))
    form.check('{"arguments":{"to":"a@example.com"}}')
    with pytest.raises(CallTooLarge) as error:
        form.check('{"arguments":{"to":"a@example.com"}}' + " " * form.most)
    assert error.value.metadata["most"] == str(form.most)
    assert form.most < 100
