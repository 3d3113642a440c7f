"""The use cases of a session of either kind: all of the acting account, and of nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from chassis.access.employment import AccessCache
from chassis.crypto import Keyring
from chassis.database import Snapshot, Transaction
from services.sessions import content, convert, events, retentions, tickets
from services.sessions.acting import Acting
from services.sessions.authority import Holder
from services.sessions.errors import NotEmployed, SessionNotFound, TeamNotJoined
from services.sessions.models import Session, SessionKind, Ticket
from services.sessions.rights import asked, resources_of
from services.sessions.shapes import Shown
from services.sessions.store import Connections, Files, HistoryRow, Sessions, Tickets
from wrtn.sessions.v1 import chat_sessions_pb2 as pb


@dataclass(frozen=True, slots=True)
class Opening:
    """What a session is opened for. Without a procedure it is a chat."""

    model: str
    team_id: UUID | None
    title: str = ""
    procedure_id: UUID | None = None
    procedure_version: int | None = None


async def check_rights(access: AccessCache, acting: Acting, opened: Opening | Session) -> None:
    """Asks enterprise anew whether the account may work with model and procedure on the budget of the team.

    The holder has to be a companion of that very team: a role above it appoints, and does not spend. Model
    and procedure have to be granted there; a personal account needs no grant.
    """
    team_id = opened.team_id
    if acting.tenant_id == acting.account_id:
        if team_id is not None:
            raise TeamNotJoined
        return
    holder = Holder(acting.tenant_id, acting.account_id, acting.member_id, acting.login_id, team_id)
    found, denied = await asked(access, holder, resources_of(opened), fresh=True)
    if found is None:
        raise NotEmployed
    if team_id is not None and (found.team is None or not found.team.companion):
        raise TeamNotJoined
    if denied is not None:
        raise denied


async def create(tx: Transaction, keyring: Keyring, acting: Acting, opening: Opening) -> Shown:
    """Creates a session; team, model and procedure are checked before."""
    row = Session(
        tenant_id=acting.tenant_id,
        id=tx.clock.new_id(),
        account_id=acting.account_id,
        opener_member_id=acting.member_id,
        model=opening.model,
        procedure_id=opening.procedure_id,
        procedure_version=opening.procedure_version,
        team_id=opening.team_id,
        create_time=tx.now,
        update_time=tx.now,
        last_activity_time=tx.now,
    )
    if opening.title:
        row.title = content.seal_title(await keyring.key(tx, acting.tenant_id), row.id, opening.title)
    await Sessions(tx, acting.tenant_id).add(row)
    events.created(tx, row)
    return convert.session(row, opening.title)


async def found(
    tx: Snapshot, acting: Acting, session_id: UUID, kind: SessionKind | None = None, *, lock: bool = False
) -> Session:
    """Answers the acting account's session, of the kind if one is named; raises SessionNotFound."""
    row = await Sessions(tx, acting.tenant_id, kind).get(session_id, acting.account_id, lock=lock)
    if row is None:
        raise SessionNotFound
    return row


async def shown_one(tx: Snapshot, keyring: Keyring, row: Session) -> Shown:
    """Answers a session with its title."""
    return (await shown(tx, keyring, [row]))[0]


async def shown(tx: Snapshot, keyring: Keyring, rows: Sequence[Session]) -> list[Shown]:
    """Answers sessions of one tenant with their titles."""
    titled = next((row for row in rows if row.title is not None), None)
    if titled is None:
        return [convert.session(row, "") for row in rows]
    key = await keyring.key(tx, titled.tenant_id)
    return [convert.session(row, content.open_title(key, row.id, row.title)) for row in rows]


async def found_deleted(tx: Snapshot, acting: Acting, session_id: UUID, kind: SessionKind) -> Session:
    """Answers and locks a deleted session whose time is not over; raises SessionNotFound."""
    row = await Sessions(tx, acting.tenant_id, kind).deleted(session_id, acting.account_id)
    if row is None or row.delete_time is None:
        raise SessionNotFound
    if tx.now >= row.delete_time + (await retentions.kept(tx, row.tenant_id)).deleted:
        raise SessionNotFound
    return row


async def change(tx: Transaction, keyring: Keyring, row: Session, changes: dict[str, Any]) -> None:
    """Changes the title, or whether it is a favourite."""
    if "title" in changes:
        row.title = content.seal_title(await keyring.key(tx, row.tenant_id), row.id, changes["title"])
    row.favourite = changes.get("favourite", row.favourite)
    row.update_time = tx.now


async def remove(tx: Transaction, row: Session) -> None:
    """Deletes a session softly, with its tickets and the connections that no stream carries."""
    row.delete_time = tx.now
    await Tickets(tx, row.tenant_id).drop(row.id)
    await Connections(tx, row.tenant_id).close_unary(row.id, tx.now)
    events.deleted(tx, row)


async def restore(tx: Transaction, row: Session) -> None:
    """Brings a deleted session back."""
    row.delete_time = None
    events.undeleted(tx, row)


async def connect(tx: Transaction, acting: Acting, row: Session) -> tuple[str, datetime]:
    """Gives a ticket, bound to the account, the member and the login; answers when it expires, too."""
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
    return text, expire_time


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
