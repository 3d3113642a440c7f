"""What staff see of a tenant's sessions: metadata in pages, and each page is audited."""

from __future__ import annotations

from uuid import UUID

import grpc
import pytest

from chassis.testing.callers import Known
from tests.sessions.make import MODEL, Sessions, refusal
from wrtn.access.v1.access_pb2 import STAFF_RIGHT_MODERATOR, TITLE_MEMBER, TITLE_OWNER
from wrtn.audit.v1.audit_pb2 import AuditEntry
from wrtn.sessions.v1 import chat_sessions_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def made(sessions: Sessions, owner: Known) -> str:
    """Creates a favourite with a title, and answers its id."""
    request = pb.CreateChatSessionRequest(model=MODEL, title="The merger")
    session_id = (await sessions.chats.CreateChatSession(request, metadata=owner.metadata)).id
    starred = pb.UpdateChatSessionRequest(chat_session=pb.ChatSession(id=session_id, favourite=True))
    await sessions.chats.UpdateChatSession(starred, metadata=owner.metadata)
    return session_id


async def searched(
    sessions: Sessions, by: Known, tenant_id: UUID, **fields: str | int
) -> pb.SearchChatSessionsResponse:
    """Answers one page, as this caller."""
    request = pb.SearchChatSessionsRequest(tenant_id=str(tenant_id), **fields)  # type: ignore[arg-type]
    return await sessions.chats.SearchChatSessions(request, metadata=by.metadata)


async def audited(sessions: Sessions, tenant_id: UUID) -> list[AuditEntry]:
    """Answers the searches that were audited."""
    found = await sessions.audited(tenant_id)
    return [each for each in found if each.action == "chat_sessions.searched"]


def ids(page: pb.SearchChatSessionsResponse) -> list[str]:
    """Answers the sessions of a page."""
    return [each.id for each in page.chat_sessions]


async def test_a_moderator_sees_the_metadata_of_a_tenant_in_pages_and_no_title(sessions: Sessions) -> None:
    enterprise_id = sessions.clock.new_id()
    one, other = (sessions.callers.employee(enterprise_id, TITLE_MEMBER) for _ in range(2))
    first, second, third = [await made(sessions, each) for each in (one, other, one)]
    private = sessions.callers.member()
    own = await made(sessions, private)
    gone = await sessions.session(one)
    await sessions.delete(gone)
    moderator = sessions.callers.member(staff=STAFF_RIGHT_MODERATOR)

    page = await searched(sessions, moderator, enterprise_id, page_size=2)
    rest = await searched(sessions, moderator, enterprise_id, page_size=2, page_token=page.next_page_token)
    assert (ids(page), ids(rest), rest.next_page_token) == ([third, second], [first], "")
    for shown in (*page.chat_sessions, *rest.chat_sessions):
        assert (shown.title, shown.favourite, shown.model) == ("", False, MODEL)
        assert shown.HasField("last_activity_time")
    assert [each.account_id for each in rest.chat_sessions] == [str(one.account_id)]

    of_one = await searched(sessions, moderator, enterprise_id, account_id=str(one.account_id))
    assert ids(of_one) == [third, first]
    assert ids(await searched(sessions, moderator, private.account_id)) == [own]
    foreign = await searched(sessions, moderator, private.account_id, account_id=str(one.account_id))
    assert ids(foreign) == []


async def test_each_page_is_audited_for_the_tenant(sessions: Sessions) -> None:
    owner, moderator = sessions.callers.member(), sessions.callers.member(staff=STAFF_RIGHT_MODERATOR)
    await made(sessions, owner)
    await made(sessions, owner)
    page = await searched(sessions, moderator, owner.account_id, page_size=1)
    await searched(sessions, moderator, owner.account_id, page_size=1, page_token=page.next_page_token)
    entries = await audited(sessions, owner.account_id)
    assert {each.tenant_id for each in entries} == {str(owner.account_id)}
    who = [(each.actor.member_id, each.actor.staff_right) for each in entries]
    assert who == [(str(moderator.member_id), STAFF_RIGHT_MODERATOR)] * 2


async def test_a_search_that_cannot_be_audited_is_not_answered(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, moderator = sessions.callers.member(), sessions.callers.member(staff=STAFF_RIGHT_MODERATOR)
    await made(sessions, owner)

    async def failing(*_: object) -> None:
        raise RuntimeError("the audit cannot be written")

    monkeypatch.setattr(sessions.running.runtime.db.auditor, "record", failing)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await searched(sessions, moderator, owner.account_id)
    assert refused.value.code() is grpc.StatusCode.INTERNAL


async def test_an_unknown_tenant_has_no_sessions_and_a_missing_one_is_refused(sessions: Sessions) -> None:
    await made(sessions, sessions.callers.member())
    moderator = sessions.callers.member(staff=STAFF_RIGHT_MODERATOR)
    page = await searched(sessions, moderator, sessions.clock.new_id())
    assert page == pb.SearchChatSessionsResponse()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await sessions.chats.SearchChatSessions(pb.SearchChatSessionsRequest(), metadata=moderator.metadata)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_nobody_but_staff_who_signed_in_searches(sessions: Sessions) -> None:
    enterprise_id, callers = sessions.clock.new_id(), sessions.callers
    owner = callers.employee(enterprise_id, TITLE_OWNER)
    await made(sessions, owner)
    moderator = callers.member(staff=STAFF_RIGHT_MODERATOR)
    refused = {
        "a member": callers.member(),
        "the owner": owner,
        "a key of a moderator": callers.api_key(moderator, "read", "write"),
        "a key of the enterprise": callers.enterprise_key(enterprise_id, "audit.read"),
        "a websocket server": callers.credential("sessions.record"),
    }
    for name, caller in refused.items():
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await searched(sessions, caller, enterprise_id)
        assert refusal(error.value) == (grpc.StatusCode.PERMISSION_DENIED, "NOT_ADMITTED"), name
    assert await audited(sessions, enterprise_id) == []
    assert len(ids(await searched(sessions, moderator, enterprise_id))) == 1
