"""Who reads what of another's sessions: content where the enterprise says so, metadata always."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import grpc
import pytest

from chassis.testing.callers import Known
from tests.sessions.make import Session, Sessions, refusal, tokens
from wrtn.access.v1.access_pb2 import (
    ROLE_CHIEF,
    ROLE_MANAGER,
    ROLE_MEMBER,
    TITLE_MANAGER,
    TITLE_MEMBER,
    TITLE_OWNER,
)
from wrtn.audit.v1.audit_pb2 import AuditEntry
from wrtn.sessions.v1 import chat_sessions_pb2 as pb

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = '{"text":"the merger"}'
UNKNOWN = (grpc.StatusCode.NOT_FOUND, "SESSION_NOT_FOUND")


@dataclass(frozen=True)
class Firm:
    """An enterprise with a session of a member in a team below another, and those around them."""

    sessions: Sessions
    session: Session
    team: UUID
    above: UUID
    people: dict[str, Known]

    @property
    def enterprise_id(self) -> UUID:
        """The enterprise."""
        return self.session.owner.enterprise_id

    async def read(self, by: Known) -> str:
        """Reads the one history, as this person."""
        request = pb.ListHistoriesRequest(chat_session_id=self.session.id)
        found = await self.sessions.chats.ListHistories(request, metadata=by.metadata)
        return found.histories[0].body

    async def get(self, by: Known) -> pb.ChatSession:
        """Gets the session, as this person."""
        request = pb.GetChatSessionRequest(chat_session_id=self.session.id)
        return await self.sessions.chats.GetChatSession(request, metadata=by.metadata)

    async def usage(self, by: Known) -> int:
        """Gets what the session cost, as this person."""
        request = pb.GetTokenUsageRequest(chat_session_id=self.session.id)
        return int((await self.sessions.chats.GetTokenUsage(request, metadata=by.metadata)).total)

    async def listed(self, by: Known, team: UUID | None, **page: object) -> pb.ListTeamChatSessionsResponse:
        """Lists the sessions of a team, as this person."""
        request = pb.ListTeamChatSessionsRequest(
            enterprise_id=str(self.enterprise_id),
            team_id=str(team) if team else "",
            **page,  # type: ignore[arg-type]
        )
        return await self.sessions.chats.ListTeamChatSessions(request, metadata=by.metadata)

    async def reads(self) -> list[AuditEntry]:
        """Answers the reads that were audited."""
        found = await self.sessions.audited(self.enterprise_id)
        return [each for each in found if each.action == "chat_session.read"]


async def firm_of(sessions: Sessions) -> Firm:
    """Makes the enterprise and the session."""
    callers, enterprise_id = sessions.callers, sessions.clock.new_id()
    above = callers.team(enterprise_id)
    team, elsewhere = callers.team(enterprise_id, above), callers.team(enterprise_id)
    people = {
        "owner": callers.employee(enterprise_id, TITLE_OWNER),
        "manager": callers.employee(enterprise_id, TITLE_MANAGER),
        "chief above": callers.employee(enterprise_id, TITLE_MEMBER, {above: ROLE_CHIEF}),
        "team manager": callers.employee(enterprise_id, TITLE_MEMBER, {team: ROLE_MANAGER}),
        "colleague": callers.employee(enterprise_id, TITLE_MEMBER, {team: ROLE_MEMBER}),
        "chief elsewhere": callers.employee(enterprise_id, TITLE_MEMBER, {elsewhere: ROLE_CHIEF}),
        "stranger": callers.employee(sessions.clock.new_id(), TITLE_OWNER),
        "nobody": callers.member(),
    }
    holder = callers.employee(enterprise_id, TITLE_MEMBER, {team: ROLE_MEMBER})
    session = await sessions.session(holder, team_id=team)
    opened = await sessions.open(session)
    await sessions.append(session, opened.connection_id, sessions.frame(SECRET, token_usage=tokens(10, 5)))
    update = pb.UpdateChatSessionRequest(chat_session=pb.ChatSession(id=session.id, title="Merger"))
    await sessions.chats.UpdateChatSession(update, metadata=holder.metadata)
    return Firm(sessions, session, team, above, people)


async def unknown(call: object) -> bool:
    """Says whether the session is answered as one that does not exist."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call  # type: ignore[misc]
    return refusal(refused.value) == UNKNOWN


async def test_nobody_but_the_holder_reads_content_while_the_enterprise_says_nothing(
    sessions: Sessions,
) -> None:
    firm = await firm_of(sessions)
    for name, person in firm.people.items():
        assert await unknown(firm.read(person)), name
        assert await unknown(firm.get(person)), name
    assert await firm.read(firm.session.owner) == SECRET
    assert await firm.reads() == []


async def test_owners_and_managers_read_where_the_enterprise_says_so_and_each_read_is_audited(
    sessions: Sessions,
) -> None:
    firm = await firm_of(sessions)
    sessions.callers.readable.add(firm.enterprise_id)
    readers = {"owner", "manager"}
    for name, person in firm.people.items():
        if name in readers:
            assert await firm.read(person) == SECRET
            assert (await firm.get(person)).title == "Merger"
        else:
            assert await unknown(firm.read(person)), name
            assert await unknown(firm.get(person)), name
    audited = await firm.reads()
    assert [each.target_id for each in audited] == [firm.session.id] * 4
    assert {each.tenant_id for each in audited} == {str(firm.enterprise_id)}
    assert await firm.read(firm.session.owner) == SECRET
    assert len(await firm.reads()) == 4


async def test_the_setting_is_asked_for_anew_at_each_read(sessions: Sessions) -> None:
    firm = await firm_of(sessions)
    sessions.callers.readable.add(firm.enterprise_id)
    assert await firm.read(firm.people["owner"]) == SECRET
    sessions.callers.readable.clear()
    assert await unknown(firm.read(firm.people["owner"]))


async def test_content_that_cannot_be_audited_is_not_answered(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    firm = await firm_of(sessions)
    sessions.callers.readable.add(firm.enterprise_id)

    async def failing(*_: object) -> None:
        raise RuntimeError("the audit cannot be written")

    monkeypatch.setattr(sessions.running.runtime.db.auditor, "record", failing)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await firm.read(firm.people["owner"])
    assert refused.value.code() is grpc.StatusCode.INTERNAL
    assert "merger" not in str(refused.value.details())


async def test_no_manager_changes_or_connects_to_the_session_of_another(sessions: Sessions) -> None:
    firm = await firm_of(sessions)
    sessions.callers.readable.add(firm.enterprise_id)
    stolen = Session(firm.session.id, firm.people["owner"], firm.session.credential)
    assert await unknown(sessions.ticket(stolen))
    assert await unknown(sessions.delete(stolen))
    assert await unknown(sessions.connections(stolen))


async def test_metadata_and_usage_are_seen_by_those_who_run_the_enterprise_or_the_team(
    sessions: Sessions,
) -> None:
    firm = await firm_of(sessions)
    seeing = {"owner", "manager", "chief above", "team manager"}
    for name, person in firm.people.items():
        if name in seeing:
            assert await firm.usage(person) == 15
            (shown,) = (await firm.listed(person, firm.team)).chat_sessions
            assert (shown.id, shown.title, shown.model) == (firm.session.id, "", "openai/gpt-4.1")
        else:
            assert await unknown(firm.usage(person)), name
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await firm.listed(person, firm.team)
            expected = (
                grpc.StatusCode.NOT_FOUND
                if name in ("stranger", "nobody")
                else grpc.StatusCode.PERMISSION_DENIED
            )
            assert refused.value.code() is expected, name
    assert await firm.reads() == []


async def test_the_sessions_of_a_team_come_in_pages_and_those_of_no_team_apart(sessions: Sessions) -> None:
    firm = await firm_of(sessions)
    colleague, owner = firm.people["colleague"], firm.people["owner"]
    second = await sessions.session(colleague, team_id=firm.team)
    direct = await sessions.session(colleague)
    first = await firm.listed(owner, firm.team, page_size=1)
    rest = await firm.listed(owner, firm.team, page_size=1, page_token=first.next_page_token)
    assert [each.id for each in (*first.chat_sessions, *rest.chat_sessions)] == [second.id, firm.session.id]
    assert not rest.next_page_token
    assert [each.id for each in (await firm.listed(owner, None)).chat_sessions] == [direct.id]
    assert not (await firm.listed(owner, firm.above)).chat_sessions
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await firm.listed(owner, sessions.clock.new_id())
    assert refusal(refused.value) == (grpc.StatusCode.NOT_FOUND, "TEAM_NOT_FOUND")
    await sessions.delete(second)
    assert len((await firm.listed(owner, firm.team)).chat_sessions) == 1


async def test_who_was_dismissed_does_nothing_with_the_account_that_they_still_hold(
    sessions: Sessions,
) -> None:
    firm = await firm_of(sessions)
    holder, session_id = firm.session.owner, firm.session.id
    sessions.callers.dismiss(holder)
    sessions.running.runtime.access.clear()
    chats, metadata = sessions.chats, holder.metadata
    title = pb.UpdateChatSessionRequest(chat_session=pb.ChatSession(id=session_id, title="Mine"))
    for call in (
        chats.CreateChatSession(pb.CreateChatSessionRequest(model="openai/gpt-4.1"), metadata=metadata),
        firm.get(holder),
        firm.read(holder),
        firm.usage(holder),
        chats.ListChatSessions(pb.ListChatSessionsRequest(), metadata=metadata),
        chats.UpdateChatSession(title, metadata=metadata),
        chats.DeleteChatSession(pb.DeleteChatSessionRequest(chat_session_id=session_id), metadata=metadata),
        chats.ConnectChatSession(pb.ConnectChatSessionRequest(chat_session_id=session_id), metadata=metadata),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call
        assert refusal(refused.value) == (grpc.StatusCode.PERMISSION_DENIED, "ACCOUNT_FROZEN")
