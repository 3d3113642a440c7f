"""Content is encrypted, bound to its place, and nowhere else; tables are guarded; lists are paged."""

from __future__ import annotations

import json

import grpc
import pytest
from psycopg import errors as pg

from chassis.crypto import DecryptionFailed
from chassis.database import Scope
from chassis.testing.logs import Logs
from chassis.testing.tables import assert_models_match_migrations, assert_tables_guarded
from services.sessions import content
from services.sessions.models import Base
from tests.sessions.make import Session, Sessions, refusal, tokens
from wrtn.access.v1.access_pb2 import TITLE_MEMBER
from wrtn.sessions.v1 import chat_sessions_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")

CANARY = "canary-7f3a-please-tell-nobody"


async def test_tables_are_guarded_and_as_the_models_say(sessions: Sessions) -> None:
    assert_tables_guarded(sessions.database)
    assert_models_match_migrations(sessions.database, Base.metadata)


async def test_content_is_in_no_row_event_or_log(sessions: Sessions, logs: Logs) -> None:
    owner = sessions.callers.member()
    created = await sessions.chats.CreateChatSession(
        pb.CreateChatSessionRequest(model="openai/gpt-4.1", title=CANARY, request_id="once"),
        metadata=owner.metadata,
    )
    session = Session(created.id, owner, sessions.callers.credential("sessions.record"))
    line = await sessions.attach(session, client=CANARY, address=CANARY)
    await line.send(
        sessions.frame(json.dumps({"text": CANARY}), token_usage=tokens(1, 1)), sessions.frame(f'"{CANARY}')
    )
    await line.finish()
    stored = []
    for table in ("wrtn_chat_sessions", "wrtn_histories", "wrtn_connections", "wrtn_idempotency_keys"):
        stored += await sessions.rows(f"SELECT row_to_json(t)::text FROM {table} t", owner.tenant_id)
    assert len(stored) == 4
    texts = [row[0] for row in stored] + [
        row[2].decode("latin1") for row in await sessions.outbox("usage.recorded")
    ]
    assert CANARY.encode().hex() not in "".join(texts)
    assert CANARY not in "".join(texts)
    assert "/wrtn.sessions.v1.RecorderService/Attach" in logs.getvalue()
    assert CANARY not in logs.getvalue()
    assert (await sessions.histories(session))[0].body == json.dumps({"text": CANARY})


async def test_a_ciphertext_that_was_moved_does_not_decrypt(sessions: Sessions) -> None:
    session = await sessions.session()
    line = await sessions.attach(session)
    mine, other = await line.record(sessions.frame("1"), sessions.frame("2"))
    tenant = session.owner.enterprise_id
    rows = await sessions.rows("SELECT id, body FROM wrtn_histories ORDER BY sequence", tenant)
    async with sessions.running.runtime.db.snapshot(Scope.of(tenant)) as tx:
        key = await sessions.running.runtime.keyring.key(tx, tenant)
    sealed = bytes(rows[0][1])
    assert content.open_body(key, session.id, mine.history_id, sealed) == "1"
    for place in ((session.id, other.history_id), (str(sessions.clock.new_id()), mine.history_id)):
        with pytest.raises(DecryptionFailed):
            content.open_body(key, *place, sealed)
    theirs = await sessions.session()
    await (await sessions.attach(theirs)).record(sessions.frame())
    async with sessions.running.runtime.db.snapshot(Scope.of(theirs.owner.enterprise_id)) as tx:
        foreign = await sessions.running.runtime.keyring.key(tx, theirs.owner.enterprise_id)
    with pytest.raises(DecryptionFailed):
        content.open_body(foreign, session.id, mine.history_id, sealed)


@pytest.mark.parametrize("table", ["wrtn_histories", "wrtn_attributions"])
@pytest.mark.parametrize("change", ["UPDATE {} SET id = id", "DELETE FROM {}"])
async def test_what_was_recorded_cannot_be_changed(sessions: Sessions, table: str, change: str) -> None:
    session = await sessions.session()
    await (await sessions.attach(session)).record(sessions.frame())
    with pytest.raises((pg.InsufficientPrivilege, pg.RestrictViolation)):
        async with sessions.database.app.transaction(Scope.of(session.owner.enterprise_id)) as tx:
            await (await tx.driver()).execute(change.format(table).encode())


async def test_a_neighbour_sees_nothing_of_a_session(sessions: Sessions) -> None:
    session = await sessions.session()
    enterprise_id = sessions.clock.new_id()
    colleagues = [sessions.callers.employee(enterprise_id, TITLE_MEMBER) for _ in range(2)]
    own = await sessions.session(colleagues[0])
    for known, stranger in ((session, sessions.callers.member()), (own, colleagues[1])):
        foreign = Session(known.id, stranger, known.credential)
        missing = Session(str(sessions.clock.new_id()), stranger, known.credential)
        for each in (foreign, missing):
            read = (sessions.histories, sessions.connections, sessions.usage)
            for attempt in (*read, sessions.ticket, sessions.delete):
                with pytest.raises(grpc.aio.AioRpcError) as error:
                    await attempt(each)
                assert refusal(error.value) == (grpc.StatusCode.NOT_FOUND, "SESSION_NOT_FOUND")
        page = await sessions.chats.ListChatSessions(pb.ListChatSessionsRequest(), metadata=stranger.metadata)
        assert not page.chat_sessions


async def test_sessions_are_listed_by_their_latest_activity_page_by_page(sessions: Sessions) -> None:
    owner = sessions.callers.member()
    made = [await sessions.session(owner) for _ in range(5)]
    await (await sessions.attach(made[1])).record(sessions.frame())
    found: list[str] = []
    token = ""
    while True:
        request = pb.ListChatSessionsRequest(page_size=2, page_token=token)
        page = await sessions.chats.ListChatSessions(request, metadata=owner.metadata)
        found += [each.id for each in page.chat_sessions]
        token = page.next_page_token
        if not token:
            break
    assert found == [made[1].id, made[4].id, made[3].id, made[2].id, made[0].id]


async def test_a_title_is_changed_and_read_back(sessions: Sessions) -> None:
    session = await sessions.session()
    changed = pb.UpdateChatSessionRequest(chat_session=pb.ChatSession(id=session.id, title="요약 ✓"))
    answer = await sessions.chats.UpdateChatSession(changed, metadata=session.owner.metadata)
    read = await sessions.chats.GetChatSession(
        pb.GetChatSessionRequest(chat_session_id=session.id), metadata=session.owner.metadata
    )
    assert answer == read
    assert read.title == "요약 ✓"


async def test_a_page_of_histories_is_cut_by_the_size_of_its_bodies(sessions: Sessions) -> None:
    session = await sessions.session()
    line = await sessions.attach(session)
    await line.record(*(sessions.frame('"' + "x" * 1_000_000 + '"') for _ in range(7)))
    page = await sessions.chats.ListHistories(
        pb.ListHistoriesRequest(chat_session_id=session.id), metadata=session.owner.metadata
    )
    assert [each.sequence for each in page.histories] == [1, 2, 3]
    assert [each.sequence for each in await sessions.histories(session)] == list(range(1, 8))
