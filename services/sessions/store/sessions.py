"""The queries of sessions and of the tickets to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, delete, select, tuple_, update

from chassis.database import Snapshot
from services.sessions.filters import Wanted
from services.sessions.models import Session, SessionKind, Ticket


class Sessions:
    """The sessions of a tenant: those of one kind, or of both."""

    def __init__(self, tx: Snapshot, tenant_id: UUID, kind: SessionKind | None = None) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id
        self._kind = kind

    async def add(self, row: Session) -> None:
        """Inserts a session."""
        self._session.add(row)
        await self._session.flush()

    async def get(self, session_id: UUID, account_id: UUID, *, lock: bool = False) -> Session | None:
        """Answers the account's session unless it is deleted."""
        query = self._kept(Session.id == session_id, Session.account_id == account_id)
        return await self._session.scalar(query.with_for_update() if lock else query)

    async def of_tenant(self, session_id: UUID) -> Session | None:
        """Answers the session of any account of the tenant unless it is deleted."""
        return await self._session.scalar(self._kept(Session.id == session_id))

    async def deleted(self, session_id: UUID, account_id: UUID) -> Session | None:
        """Answers and locks the account's session that is deleted, and whose purge has not begun."""
        query = self._all(
            Session.id == session_id,
            Session.account_id == account_id,
            Session.delete_time.is_not(None),
            Session.purge_time.is_(None),
        )
        return await self._session.scalar(query.with_for_update())

    async def page(
        self, wanted: Wanted, after: tuple[datetime, UUID] | None, count: int
    ) -> Sequence[Session]:
        """Answers the sessions that are wanted, in their order, from after that place on."""
        place = tuple_(wanted.time, Session.id)
        query = self._all(*wanted.conditions())
        if after is not None:
            query = query.where(place < after)
        query = query.order_by(wanted.time.desc(), Session.id.desc()).limit(count)
        return (await self._session.scalars(query)).all()

    async def newest(self, account_id: UUID | None, before: UUID | None, count: int) -> Sequence[Session]:
        """Answers the sessions of the tenant, or of an account, by falling ids: the primary key serves it."""
        query = self._kept().order_by(Session.id.desc()).limit(count)
        if account_id is not None:
            query = query.where(Session.account_id == account_id)
        if before is not None:
            query = query.where(Session.id < before)
        return (await self._session.scalars(query)).all()

    async def leave_teams(self, account_id: UUID, before: datetime) -> None:
        """Takes the account's sessions that were created before that moment off their teams."""
        await self._session.execute(
            update(Session)
            .where(
                Session.tenant_id == self._tenant_id,
                Session.account_id == account_id,
                Session.create_time < before,
                Session.team_id.is_not(None),
            )
            .values(team_id=None)
        )

    def _kept(self, *wanted: ColumnElement[bool]) -> Select[Session]:
        return self._all(Session.delete_time.is_(None), *wanted)

    def _all(self, *wanted: ColumnElement[bool]) -> Select[Session]:
        query = select(Session).where(Session.tenant_id == self._tenant_id, *wanted)
        if self._kind is None:
            return query
        chat = Session.procedure_id.is_(None)
        return query.where(chat if self._kind is SessionKind.CHAT else ~chat)


class Tickets:
    """The tickets of a tenant that nobody used yet."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def add(self, ticket: Ticket, now: datetime) -> None:
        """Inserts a ticket, and clears away those of the tenant that expired."""
        expired = delete(Ticket).where(Ticket.tenant_id == self._tenant_id, Ticket.expire_time < now)
        await self._session.execute(expired)
        self._session.add(ticket)
        await self._session.flush()

    async def peek(self, digest: bytes, now: datetime) -> Ticket | None:
        """Answers a ticket that is good, without using it."""
        query = select(Ticket).where(*self._good(digest, now))
        return await self._session.scalar(query)

    async def use(self, digest: bytes, now: datetime) -> bool:
        """Uses the ticket up; true for one of all who try."""
        statement = delete(Ticket).where(*self._good(digest, now)).returning(Ticket.ticket_hash)
        return (await self._session.execute(statement)).first() is not None

    async def drop(self, session_id: UUID) -> None:
        """Takes back every ticket of the session."""
        statement = delete(Ticket).where(
            Ticket.tenant_id == self._tenant_id, Ticket.chat_session_id == session_id
        )
        await self._session.execute(statement)

    def _good(self, digest: bytes, now: datetime) -> tuple[Any, ...]:
        return Ticket.tenant_id == self._tenant_id, Ticket.ticket_hash == digest, Ticket.expire_time > now
