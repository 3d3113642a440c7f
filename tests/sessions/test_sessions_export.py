"""What sessions holds about a member is handed out: of personal accounts whole, with the files."""

from __future__ import annotations

import base64
import json
from typing import Any
from uuid import UUID

import pytest

from chassis.subjects import Subject
from services.sessions.files import uploads
from tests.sessions.make import Session, Sessions, tokens
from tests.sessions.running import Running
from tests.sessions.test_sessions_files import PNG, Desk
from wrtn.access.v1.access_pb2 import TITLE_MEMBER
from wrtn.subjects.v1.subjects_pb2 import ExportSubjectRequest
from wrtn.subjects.v1.subjects_pb2_grpc import DataSubjectServiceStub

pytestmark = pytest.mark.asyncio(loop_scope="module")

Documents = dict[str, list[dict[str, Any]]]


async def export(sessions: Sessions, session: Session) -> Documents:
    """Answers the documents about the owner of a session, as identity asks for them."""
    owner, enterprise_id = session.owner, session.owner.enterprise_id
    assert owner.member_id is not None
    assert owner.account_id is not None
    personal = enterprise_id == owner.account_id
    accounts = {} if personal or enterprise_id is None else {owner.account_id: enterprise_id}
    subject = Subject(owner.member_id, (owner.account_id,) if personal else (), accounts)
    stub = DataSubjectServiceStub(sessions.channel)
    metadata = sessions.callers.peer("identity", "sessions")
    found: dict[str, bytes] = {}
    async for part in stub.ExportSubject(ExportSubjectRequest(subject=subject.message()), metadata=metadata):
        found[part.document] = found.get(part.document, b"") + part.data
    return {name: [json.loads(each) for each in data.splitlines()] for name, data in found.items()}


async def test_the_files_of_a_personal_account_are_in_its_export_with_their_content(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "PIECE", 4000)
    desk = Desk(sessions, await sessions.session())
    file, unfinished = await desk.ready(), await desk.declare()
    await desk.upload(unfinished, PNG[:4500])
    found = await export(sessions, desk.session)
    (listed,) = found["files"]
    assert (listed["id"], listed["display_name"], listed["size"]) == (file.id, "비밀 plan.png", len(PNG))
    pieces = sorted(found["file_contents"], key=lambda each: each["start"])
    assert {each["file_id"] for each in pieces} == {file.id}
    assert b"".join(base64.b64decode(each["base64"]) for each in pieces) == PNG


async def test_runs_of_procedures_are_listed_apart_and_their_content_is_that_of_personal_accounts_alone(
    sessions: Sessions,
) -> None:
    running = Running(sessions)
    procedure_id = await running.published()
    mine = await running.session(procedure_id, title="To Ann")
    line = await running.attach(mine)
    run = running.call({"to": "ann@example.com"}, token_usage=tokens(3, 4))
    await line.record(run)
    found = await export(sessions, mine)
    (listed,) = found["procedure_sessions"]
    assert (listed["id"], listed["procedure_id"], listed["procedure_version"]) == (mine.id, procedure_id, 1)
    assert (listed["title"], listed["last_sequence"]) == ("To Ann", 1)
    assert [(each["type"], each["body"]) for each in found["histories"]] == [("procedure_call", run.body)]
    assert "chat_sessions" not in found
    person = sessions.callers.employee(sessions.clock.new_id(), TITLE_MEMBER)
    theirs = await running.session(procedure_id, person, title="Secret of the enterprise")
    await (await running.attach(theirs)).record(run)
    found = await export(sessions, theirs)
    (listed,) = found["procedure_sessions"]
    assert (listed["id"], "title" in listed) == (theirs.id, False)
    assert "histories" not in found


async def test_an_export_goes_through_after_a_purge(sessions: Sessions) -> None:
    desk = Desk(sessions, await sessions.session())
    await desk.ready()
    line = await sessions.attach(desk.session)
    (ack,) = await line.record(sessions.frame())
    await line.finish()
    await sessions.delete(desk.session)
    await desk.age()
    await desk.purging.run()
    found = await export(sessions, desk.session)
    assert [(each["id"], each["body"]) for each in found["histories"]] == [(ack.history_id, "")]
    assert not {"files", "file_contents"} & set(found)


async def test_the_files_of_an_enterprise_are_not_its_employees(sessions: Sessions) -> None:
    enterprise_id: UUID = sessions.clock.new_id()
    person = sessions.callers.employee(enterprise_id, TITLE_MEMBER)
    desk = Desk(sessions, await sessions.session(person))
    await desk.ready()
    found = await export(sessions, desk.session)
    assert [each["id"] for each in found["chat_sessions"]] == [desk.session.id]
    assert not {"files", "file_contents", "histories"} & set(found)
