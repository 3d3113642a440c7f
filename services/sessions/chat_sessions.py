"""The use cases of a chat session: all of the acting account, and of nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from chassis.access.employment import AccessCache
from chassis.call import Caller
from chassis.crypto import Keyring
from chassis.database import Snapshot, Transaction
from services.sessions import content, convert, events, tickets
from services.sessions.errors import ModelNotGranted, NotEmployed, SessionNotFound, TeamNotJoined
from services.sessions.models import ChatSession, Ticket
from services.sessions.retentions import deleted_for
from services.sessions.rights import resource_of
from services.sessions.store import ChatSessions, Connections, Files, HistoryRow, Tickets
from wrtn.sessions.v1 import chat_sessions_pb2 as pb


@dataclass(frozen=True, slots=True)
class Acting:
    """The account that acts, as the access token names it."""

    tenant_id: UUID
    account_id: UUID
    member_id: UUID
    login_id: UUID

    @classmethod
    def of(cls, caller: Caller) -> Acting:
        """Reads the caller; raises NotEmployed for a member without an account."""
        ids = (caller.tenant_id, caller.account_id, caller.member_id, caller.login_id)
        tenant_id, account_id, member_id, login_id = ids
        if tenant_id is None or account_id is None or member_id is None or login_id is None:
            raise NotEmployed
        return cls(tenant_id, account_id, member_id, login_id)


async def check_rights(access: AccessCache, acting: Acting, team_id: UUID | None, model: str) -> None:
    """Asks enterprise anew whether the account may work with the model on the budget of this team.

    The holder has to be a companion of that very team: a role above it appoints, and does not spend. The
    model has to be granted there; a personal account needs no grant.
    """
    if acting.tenant_id == acting.account_id:
        if team_id is not None:
            raise TeamNotJoined
        return
    found = await access.resolve(
        acting.tenant_id,
        acting.account_id,
        team_id,
        member_id=acting.member_id,
        resource=resource_of(model),
        fresh=True,
    )
    if found is None:
        raise NotEmployed
    if team_id is not None and (found.team is None or not found.team.companion):
        raise TeamNotJoined
    if not found.granted:
        raise ModelNotGranted


async def create(
    tx: Transaction, keyring: Keyring, acting: Acting, request: pb.CreateChatSessionRequest
) -> pb.ChatSession:
    """Creates a session; the team is checked before."""
    row = ChatSession(
        tenant_id=acting.tenant_id,
        id=tx.clock.new_id(),
        account_id=acting.account_id,
        opener_member_id=acting.member_id,
        model=request.model,
        team_id=UUID(request.team_id) if request.team_id else None,
        create_time=tx.now,
        update_time=tx.now,
        last_activity_time=tx.now,
    )
    if request.title:
        row.title = content.seal_title(await keyring.key(tx, acting.tenant_id), row.id, request.title)
    await ChatSessions(tx, acting.tenant_id).add(row)
    events.created(tx, row)
    return convert.chat_session(row, request.title)


async def found(tx: Snapshot, acting: Acting, session_id: str, *, lock: bool = False) -> ChatSession:
    """Answers the acting account's session; raises SessionNotFound."""
    row = await ChatSessions(tx, acting.tenant_id).get(UUID(session_id), acting.account_id, lock=lock)
    if row is None:
        raise SessionNotFound
    return row


async def shown(tx: Snapshot, keyring: Keyring, rows: Sequence[ChatSession]) -> list[pb.ChatSession]:
    """Answers sessions of one tenant with their titles."""
    titled = next((row for row in rows if row.title is not None), None)
    if titled is None:
        return [convert.chat_session(row, "") for row in rows]
    key = await keyring.key(tx, titled.tenant_id)
    return [convert.chat_session(row, content.open_title(key, row.id, row.title)) for row in rows]


async def change(
    tx: Transaction, keyring: Keyring, acting: Acting, session_id: str, changes: dict[str, Any]
) -> pb.ChatSession:
    """Changes the title, or whether it is a favourite."""
    row = await found(tx, acting, session_id, lock=True)
    if "title" in changes:
        row.title = content.seal_title(await keyring.key(tx, row.tenant_id), row.id, changes["title"])
    row.favourite = changes.get("favourite", row.favourite)
    row.update_time = tx.now
    return (await shown(tx, keyring, [row]))[0]


async def remove(tx: Transaction, acting: Acting, session_id: str) -> ChatSession:
    """Deletes a session softly, with its tickets and the connections that no stream carries."""
    row = await found(tx, acting, session_id, lock=True)
    row.delete_time = tx.now
    await Tickets(tx, row.tenant_id).drop(row.id)
    await Connections(tx, row.tenant_id).close_unary(row.id, tx.now)
    events.deleted(tx, row)
    return row


async def restore(tx: Transaction, keyring: Keyring, acting: Acting, session_id: str) -> pb.ChatSession:
    """Brings a deleted session back while its time is not over; raises SessionNotFound."""
    row = await ChatSessions(tx, acting.tenant_id).deleted(UUID(session_id), acting.account_id)
    if row is None or row.delete_time is None:
        raise SessionNotFound
    if tx.now >= row.delete_time + await deleted_for(tx, row.tenant_id):
        raise SessionNotFound
    row.delete_time = None
    events.undeleted(tx, row)
    return (await shown(tx, keyring, [row]))[0]


async def connect(tx: Transaction, acting: Acting, session_id: str) -> pb.ConnectChatSessionResponse:
    """Gives a ticket to a session, bound to the account, the member and the login."""
    row = await found(tx, acting, session_id)
    text = tickets.make(row.tenant_id, tx.clock)
    expire_time = tx.now + tickets.LIFETIME
    ticket = Ticket(
        tenant_id=row.tenant_id,
        ticket_hash=tickets.digest(text),
        chat_session_id=row.id,
        account_id=acting.account_id,
        member_id=acting.member_id,
        login_id=acting.login_id,
        expire_time=expire_time,
    )
    await Tickets(tx, row.tenant_id).add(ticket, tx.now)
    return pb.ConnectChatSessionResponse(ticket=text, expire_time=convert.timestamp(expire_time))


async def histories(
    tx: Snapshot, keyring: Keyring, tenant_id: UUID, rows: Sequence[HistoryRow]
) -> list[pb.History]:
    """Answers histories with their bodies and files."""
    if not rows:
        return []
    key = await keyring.key(tx, tenant_id)
    files = await Files(tx, tenant_id).of_histories([row.id for row in rows])
    return [
        convert.history(
            row,
            content.open_body(key, str(row.chat_session_id), str(row.id), row.body),
            files.get(row.id, ()),
        )
        for row in rows
    ]
