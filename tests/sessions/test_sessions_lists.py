"""Lists of sessions: filters, orders, favourites, and the search by title."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc
import pytest

from chassis.database import Scope
from chassis.testing.callers import Known
from services.sessions import title_search
from tests.sessions.make import Session, Sessions, refusal
from wrtn.access.v1.access_pb2 import ROLE_MEMBER, TITLE_MANAGER, TITLE_MEMBER
from wrtn.sessions.v1 import chat_sessions_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def made(sessions: Sessions, owner: Known, **fields: str) -> str:
    """Creates a session and answers its id."""
    request = pb.CreateChatSessionRequest(**({"model": "openai/gpt-4.1"} | fields))
    return (await sessions.chats.CreateChatSession(request, metadata=owner.metadata)).id


async def listed(sessions: Sessions, owner: Known, **wanted: Any) -> list[str]:
    """Lists all of one's own, page by page."""
    found: list[str] = []
    token = ""
    while True:
        request = pb.ListChatSessionsRequest(page_token=token, **wanted)
        page = await sessions.chats.ListChatSessions(request, metadata=owner.metadata)
        found += [each.id for each in page.chat_sessions]
        token = page.next_page_token
        if not token:
            return found


async def test_one_s_own_are_filtered_by_model_team_favourite_and_time(sessions: Sessions) -> None:
    enterprise_id = sessions.clock.new_id()
    team = sessions.callers.team(enterprise_id)
    owner = sessions.callers.employee(enterprise_id, TITLE_MEMBER, {team: ROLE_MEMBER})
    first = await made(sessions, owner)
    on_team = await made(sessions, owner, team_id=str(team))
    other = await made(sessions, owner, model="anthropic/claude")
    starred = pb.UpdateChatSessionRequest(chat_session=pb.ChatSession(id=first, favourite=True))
    changed = await sessions.chats.UpdateChatSession(starred, metadata=owner.metadata)
    assert changed.favourite
    assert await listed(sessions, owner, model="anthropic/claude") == [other]
    assert await listed(sessions, owner, team_id=str(team)) == [on_team]
    assert await listed(sessions, owner, favourite=True) == [first]
    assert await listed(sessions, owner, favourite=False) == [other, on_team]
    moments = {
        each: (
            await sessions.chats.GetChatSession(
                pb.GetChatSessionRequest(chat_session_id=each), metadata=owner.metadata
            )
        ).create_time
        for each in (first, on_team, other)
    }
    assert await listed(sessions, owner, start_time=moments[on_team]) == [other, on_team]
    assert await listed(sessions, owner, end_time=moments[on_team]) == [first]


async def test_the_order_is_by_activity_or_by_creation(sessions: Sessions) -> None:
    owner = sessions.callers.member()
    ids = [await made(sessions, owner) for _ in range(3)]
    line = await sessions.attach(Session(ids[0], owner, sessions.callers.credential("sessions.record")))
    await line.record(sessions.frame())
    assert await listed(sessions, owner, page_size=1) == [ids[0], ids[2], ids[1]]
    newest = pb.SESSION_ORDER_CREATE_TIME
    assert await listed(sessions, owner, page_size=1, order=newest) == [ids[2], ids[1], ids[0]]


async def test_a_favourite_goes_with_the_account_and_is_changed_alone(sessions: Sessions) -> None:
    owner = sessions.callers.member()
    session_id = await made(sessions, owner, title="Plans")
    starred = pb.UpdateChatSessionRequest(chat_session=pb.ChatSession(id=session_id, favourite=True))
    answer = await sessions.chats.UpdateChatSession(starred, metadata=owner.metadata)
    assert (answer.title, answer.favourite) == ("Plans", True)
    heir = sessions.callers.inherited(sessions.callers.member(), owner.account_id)
    assert await listed(sessions, heir, favourite=True) == [session_id]


async def test_titles_are_searched_in_one_s_own_a_bounded_number_a_call(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(title_search, "MOST_READ", 4)
    monkeypatch.setattr(title_search, "_BATCH", 2)
    owner = sessions.callers.member()
    wanted = await made(sessions, owner, title="여름 휴가 PLANS")
    for number in range(6):
        await made(sessions, owner, title=f"Nothing {number}")
    newest = await made(sessions, owner, title="plans for spring")
    await made(sessions, sessions.callers.member(), title="plans of others")
    request = pb.ListChatSessionsRequest(title="Plans")
    page = await sessions.chats.ListChatSessions(request, metadata=owner.metadata)
    assert [each.id for each in page.chat_sessions] == [newest]
    assert page.next_page_token
    assert await listed(sessions, owner, title="plans") == [newest, wanted]
    assert await listed(sessions, owner, title="plans", page_size=1) == [newest, wanted]
    assert await listed(sessions, owner, title="휴가") == [wanted]
    assert await listed(sessions, owner, title="absent") == []


async def test_managers_list_the_whole_enterprise_without_titles_or_favourites(sessions: Sessions) -> None:
    enterprise_id = sessions.clock.new_id()
    team = sessions.callers.team(enterprise_id)
    people = [sessions.callers.employee(enterprise_id, TITLE_MEMBER, {team: ROLE_MEMBER}) for _ in range(2)]
    manager = sessions.callers.employee(enterprise_id, TITLE_MANAGER)
    first = await made(sessions, people[0], title="secret", team_id=str(team))
    second = await made(sessions, people[1], model="anthropic/claude")
    await made(sessions, sessions.callers.employee(sessions.clock.new_id(), TITLE_MEMBER))
    starred = pb.UpdateChatSessionRequest(chat_session=pb.ChatSession(id=first, favourite=True))
    await sessions.chats.UpdateChatSession(starred, metadata=people[0].metadata)

    async def found(**wanted: Any) -> list[str]:
        request = pb.ListEnterpriseChatSessionsRequest(enterprise_id=str(enterprise_id), **wanted)
        page = await sessions.chats.ListEnterpriseChatSessions(request, metadata=manager.metadata)
        assert not any(each.title or each.favourite for each in page.chat_sessions)
        return [each.id for each in page.chat_sessions]

    assert await found() == [second, first]
    assert await found(model="anthropic/claude") == [second]
    assert await found(account_id=str(people[0].account_id)) == [first]
    line = await sessions.attach(Session(first, people[0], sessions.callers.credential("sessions.record")))
    await line.record(sessions.frame())
    assert await found(order=pb.SESSION_ORDER_LAST_ACTIVITY) == [first, second]
    team_wanted = pb.ListTeamChatSessionsRequest(enterprise_id=str(enterprise_id), model="anthropic/claude")
    on_none = await sessions.chats.ListTeamChatSessions(team_wanted, metadata=manager.metadata)
    assert [UUID(each.id) for each in on_none.chat_sessions] == [UUID(second)]
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await sessions.chats.ListEnterpriseChatSessions(
            pb.ListEnterpriseChatSessionsRequest(enterprise_id=str(enterprise_id)),
            metadata=people[0].metadata,
        )
    assert refusal(error.value) == (grpc.StatusCode.PERMISSION_DENIED, "NOT_ADMITTED")


async def test_a_page_of_an_enterprise_or_a_team_by_creation_is_read_from_an_index(
    sessions: Sessions,
) -> None:
    tenant_id, team_id = sessions.clock.new_id(), sessions.clock.new_id()
    await sessions.session(sessions.callers.employee(tenant_id, TITLE_MEMBER))
    for whose in ("", f" AND team_id = '{team_id}'"):
        query = (
            "EXPLAIN (COSTS OFF) SELECT * FROM wrtn_chat_sessions"
            f" WHERE tenant_id = '{tenant_id}' AND delete_time IS NULL{whose}"
            " ORDER BY create_time DESC, id DESC LIMIT 50"
        )
        async with sessions.database.app.transaction(Scope.of(tenant_id)) as tx:
            driver = await tx.driver()
            # Sorting a few rows is cheap: PostgreSQL is to do so only if it must.
            await driver.execute(b"SET LOCAL enable_sort = off")
            plan = [line for (line,) in await (await driver.execute(query.encode())).fetchall()]
        assert not [line for line in plan if "Sort" in line], plan
