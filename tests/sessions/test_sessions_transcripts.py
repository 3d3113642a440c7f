"""Transcripts: JSON, Markdown and PDF of one's own sessions, and of those that one may read."""

from __future__ import annotations

import json
from typing import Any

import grpc
import pytest

from chassis.testing.callers import Known
from services.sessions.transcripts import printing
from tests.sessions.make import MODEL, RECORD, Session, Sessions, refusal, tokens
from wrtn.access.v1.access_pb2 import TITLE_MEMBER, TITLE_OWNER
from wrtn.sessions.v1 import chat_sessions_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")

Request = pb.ExportChatSessionRequest
VERBATIM = '{ "text": "안녕 \\u00e9",  "n": 1.50 }'


async def told(sessions: Sessions, owner: Known | None = None) -> Session:
    """Makes a session in which everything was said once."""
    owner = owner or sessions.callers.member()
    request = pb.CreateChatSessionRequest(model=MODEL, title="휴가 plans")
    created = await sessions.chats.CreateChatSession(request, metadata=owner.metadata)
    session = Session(created.id, owner, sessions.callers.credential(RECORD))
    line = await sessions.attach(session)
    await line.record(
        sessions.frame(VERBATIM),
        sessions.frame('{"parts":[{"text":"look"},{"image":{"url":"https://example.com/a.png"}}]}'),
        sessions.frame(
            '{"text":"**Hello**","reasoning":"greet"}', type="assistant_message", token_usage=tokens(5, 6)
        ),
        sessions.frame(
            '{"application":"shop","function":"buy","arguments":{"n":1},"success":false,"error":"sold out"}',
            type="function_call",
        ),
        sessions.frame('["```"]', type="tool_progress"),
        sessions.frame('{"text":7,"parts":3}', type="user_message"),
    )
    return session


async def export(
    sessions: Sessions, session: Session, form: Any, by: Known | None = None
) -> tuple[str, bytes]:
    """Answers the media type and the bytes of a transcript."""
    request = Request(chat_session_id=session.id, format=form)
    call = sessions.chats.ExportChatSession(request, metadata=(by or session.owner).metadata)
    parts = [part async for part in call]
    return parts[0].content_type, b"".join(part.data for part in parts)


async def test_as_json_the_bodies_stand_to_the_letter(sessions: Sessions) -> None:
    session = await told(sessions)
    kind, data = await export(sessions, session, Request.FORMAT_JSON)
    assert kind == "application/json"
    assert VERBATIM.encode() in data
    read = json.loads(data)
    assert (read["chatSession"]["id"], read["chatSession"]["title"]) == (session.id, "휴가 plans")
    assert [each["type"] for each in read["histories"]][2:5] == [
        "assistant_message",
        "function_call",
        "tool_progress",
    ]
    assert read["histories"][2]["tokenUsage"]["total"] == 11
    assert read["histories"][4]["body"] == ["```"]


async def test_as_markdown_known_types_are_text_and_others_their_json(sessions: Sessions) -> None:
    kind, data = await export(sessions, await told(sessions), Request.FORMAT_MARKDOWN)
    text = data.decode()
    assert kind.startswith("text/markdown")
    assert text.startswith("# 휴가 plans\n")
    for wanted in ("\n안녕 é\n", "[image: https://example.com/a.png]", "(Reasoning) greet\n\n**Hello**"):
        assert wanted in text, wanted
    assert '```\nshop.buy({"n": 1})\n```\n\n(Failed) sold out' in text
    assert '````\n["```"]\n````' in text
    assert '{"text":7,"parts":3}' in text


async def test_as_pdf_latin_korean_japanese_and_chinese_have_fonts(sessions: Sessions) -> None:
    session = await told(sessions)
    line = await sessions.attach(session)
    await line.record(sessions.frame('{"text":"한글 ひらがな 这个 😀 č <b>&"}'))
    kind, data = await export(sessions, session, Request.FORMAT_PDF)
    assert (kind, data[:5]) == ("application/pdf", b"%PDF-")
    for font in (b"HYSMyeongJo-Medium", b"HeiseiMin-W3", b"STSong-Light", b"BitstreamVera"):
        assert font in data, font


async def test_a_pdf_of_too_much_text_is_refused_and_the_other_formats_are_not(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(printing, "MOST_BYTES", 50)
    session = await told(sessions)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await export(sessions, session, Request.FORMAT_PDF)
    assert refusal(error.value) == (grpc.StatusCode.FAILED_PRECONDITION, "TRANSCRIPT_TOO_LONG")
    assert (await export(sessions, session, Request.FORMAT_UNSPECIFIED))[0] == "application/json"


async def test_a_transcript_is_for_those_who_may_read_and_audited_for_others_than_the_holder(
    sessions: Sessions,
) -> None:
    enterprise_id = sessions.clock.new_id()
    person = sessions.callers.employee(enterprise_id, TITLE_MEMBER)
    owner = sessions.callers.employee(enterprise_id, TITLE_OWNER)
    session = await told(sessions, person)
    for nobody in (owner, sessions.callers.member()):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await export(sessions, session, Request.FORMAT_JSON, nobody)
        assert refusal(error.value) == (grpc.StatusCode.NOT_FOUND, "SESSION_NOT_FOUND")
    await export(sessions, session, Request.FORMAT_JSON)
    assert await sessions.audited(enterprise_id) == []
    sessions.callers.readable.add(enterprise_id)
    assert VERBATIM.encode() in (await export(sessions, session, Request.FORMAT_JSON, owner))[1]
    assert [each.action for each in await sessions.audited(enterprise_id)] == ["chat_session.read"]
