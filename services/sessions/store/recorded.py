"""The queries of what is recorded, but those of the group commit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, delete, exists, func, insert, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Row
from sqlalchemy.orm import aliased

from chassis.database import Snapshot, Transaction
from services.sessions.attributions import Pinned
from services.sessions.filters import Wanted
from services.sessions.models import (
    Attribution,
    ChatSession,
    Connection,
    History,
    Process,
    ProcessTenant,
    Ticket,
)

NO_PROCESS = UUID(int=0)
"""Stands in the list of processes' tenants for the connections that no stream carries."""

# An insert-only table gives SQLAlchemy's session nothing to follow: rows are read as they are.
HistoryRow = Row[Any]


class ChatSessions:
    """The sessions of a tenant."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def add(self, row: ChatSession) -> None:
        """Inserts a session."""
        self._session.add(row)
        await self._session.flush()

    async def get(self, session_id: UUID, account_id: UUID, *, lock: bool = False) -> ChatSession | None:
        """Answers the account's session unless it is deleted."""
        query = self._kept(ChatSession.id == session_id, ChatSession.account_id == account_id)
        return await self._session.scalar(query.with_for_update() if lock else query)

    async def of_tenant(self, session_id: UUID) -> ChatSession | None:
        """Answers the session of any account of the tenant unless it is deleted."""
        return await self._session.scalar(self._kept(ChatSession.id == session_id))

    async def deleted(self, session_id: UUID, account_id: UUID) -> ChatSession | None:
        """Answers and locks the account's session that is deleted, and whose purge has not begun."""
        query = select(ChatSession).where(
            ChatSession.tenant_id == self._tenant_id,
            ChatSession.id == session_id,
            ChatSession.account_id == account_id,
            ChatSession.delete_time.is_not(None),
            ChatSession.purge_time.is_(None),
        )
        return await self._session.scalar(query.with_for_update())

    async def page(
        self, wanted: Wanted, after: tuple[datetime, UUID] | None, count: int
    ) -> Sequence[ChatSession]:
        """Answers the sessions that are wanted, in their order, from after that place on."""
        place = tuple_(wanted.time, ChatSession.id)
        query = select(ChatSession).where(ChatSession.tenant_id == self._tenant_id, *wanted.conditions())
        if after is not None:
            query = query.where(place < after)
        query = query.order_by(wanted.time.desc(), ChatSession.id.desc()).limit(count)
        return (await self._session.scalars(query)).all()

    async def newest(self, account_id: UUID | None, before: UUID | None, count: int) -> Sequence[ChatSession]:
        """Answers the sessions of the tenant, or of an account, by falling ids: the primary key serves it."""
        query = self._kept().order_by(ChatSession.id.desc()).limit(count)
        if account_id is not None:
            query = query.where(ChatSession.account_id == account_id)
        if before is not None:
            query = query.where(ChatSession.id < before)
        return (await self._session.scalars(query)).all()

    async def leave_teams(self, account_id: UUID, before: datetime) -> None:
        """Takes the account's sessions that were created before that moment off their teams."""
        await self._session.execute(
            update(ChatSession)
            .where(
                ChatSession.tenant_id == self._tenant_id,
                ChatSession.account_id == account_id,
                ChatSession.create_time < before,
                ChatSession.team_id.is_not(None),
            )
            .values(team_id=None)
        )

    def _kept(self, *wanted: ColumnElement[bool]) -> Select[ChatSession]:
        tenant = ChatSession.tenant_id == self._tenant_id
        return select(ChatSession).where(tenant, ChatSession.delete_time.is_(None), *wanted)


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


class Connections:
    """The connections of a tenant."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def add(self, row: Connection) -> None:
        """Inserts a connection."""
        self._session.add(row)
        await self._session.flush()

    async def session_of(self, session_id: UUID, *, lock: bool = False) -> ChatSession | None:
        """Answers the session that a connection records in, deleted or not.

        The lock is the one that every append takes: nothing is recorded in the session while it is held.
        """
        query = select(ChatSession).where(
            ChatSession.tenant_id == self._tenant_id, ChatSession.id == session_id
        )
        return await self._session.scalar(query.with_for_update(key_share=True) if lock else query)

    async def page(
        self, session_id: UUID, after: tuple[datetime, UUID] | None, count: int
    ) -> Sequence[Connection]:
        """Answers the session's connections, the newest first, from after that place on."""
        query = select(Connection).where(
            Connection.tenant_id == self._tenant_id, Connection.chat_session_id == session_id
        )
        if after is not None:
            query = query.where(tuple_(Connection.connect_time, Connection.id) < after)
        query = query.order_by(Connection.connect_time.desc(), Connection.id.desc()).limit(count)
        return (await self._session.scalars(query)).all()

    async def close(self, connection_id: UUID, now: datetime) -> None:
        """Ends a connection; one that ended already stays as it is."""
        await self._session.execute(
            update(Connection)
            .where(
                Connection.tenant_id == self._tenant_id,
                Connection.id == connection_id,
                Connection.disconnect_time.is_(None),
            )
            .values(disconnect_time=now)
        )

    async def close_unary(self, session_id: UUID, now: datetime) -> None:
        """Ends the session's connections that no stream carries; streams end their own."""
        await self._session.execute(
            update(Connection)
            .where(
                Connection.tenant_id == self._tenant_id,
                Connection.chat_session_id == session_id,
                Connection.process_id.is_(None),
                Connection.disconnect_time.is_(None),
            )
            .values(disconnect_time=now)
        )

    async def continued(self, session_id: UUID, connection_id: UUID) -> bool:
        """Says whether the connection goes on in another: one that resumed it, and is open or was resumed.

        One that resumed it and ended does not count while nobody resumed it: its client may never have
        heard that it was opened, and knows the first id alone.
        """
        later = aliased(Connection)
        resumed = exists().where(
            later.tenant_id == self._tenant_id,
            later.chat_session_id == session_id,
            later.resumed_connection_id == Connection.id,
        )
        found = exists().where(
            Connection.tenant_id == self._tenant_id,
            Connection.chat_session_id == session_id,
            Connection.resumed_connection_id == connection_id,
            Connection.disconnect_time.is_(None) | resumed,
        )
        return bool(await self._session.scalar(select(found)))

    async def recorded_since(self, session_id: UUID, connection_id: UUID, moment: datetime) -> bool:
        """Says whether a history came over the connection since then."""
        found = exists().where(
            History.tenant_id == self._tenant_id,
            History.chat_session_id == session_id,
            History.connection_id == connection_id,
            History.create_time >= moment,
        )
        return bool(await self._session.scalar(select(found)))


async def connection_of(tx: Snapshot, connection_id: UUID, credential_id: UUID) -> Connection | None:
    """Answers a connection that the credential opened, in whichever tenant.

    The scope's member has to be the credential: row level security admits its own connections by it.
    """
    query = select(Connection).where(
        Connection.id == connection_id, Connection.credential_id == credential_id
    )
    return await tx.session.scalar(query)


class Histories:
    """The histories of a tenant."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def page(self, session_id: UUID, after: int, count: int, most_bytes: int) -> Sequence[HistoryRow]:
        """Answers the session's histories after a sequence, in order: at least one, else as many as fit.

        The sizes are known without reading the bodies, which are read for the rows that are answered alone.
        """
        size = func.octet_length(History.body)
        running = func.sum(size).over(order_by=History.sequence)
        sized = (
            select(History.tenant_id, History.id, (running - size).label("before"), running.label("through"))
            .where(
                History.tenant_id == self._tenant_id,
                History.chat_session_id == session_id,
                History.sequence > after,
                History.sequence <= after + count,
            )
            .subquery()
        )
        query = (
            select(*History.__table__.columns)
            .join(sized, tuple_(History.tenant_id, History.id) == tuple_(sized.c.tenant_id, sized.c.id))
            .where((sized.c.before == 0) | (sized.c.through <= most_bytes))
            .order_by(History.sequence)
        )
        return (await self._session.execute(query)).all()


class Attributions:
    """The attributions of a tenant."""

    def __init__(self, tx: Transaction) -> None:
        self._session = tx.session

    async def keep(self, pinned: Pinned) -> None:
        """Stores an attribution unless it is stored already."""
        message = pinned.message
        statement = upsert(Attribution).values(
            tenant_id=UUID(message.tenant_id),
            id=pinned.id,
            account_id=UUID(message.account_id),
            member_id=UUID(message.member_id),
            employee_id=UUID(message.employee_id) if message.employee_id else None,
            team_id=UUID(message.team_id) if message.team_id else None,
            ancestor_team_ids=[UUID(each) for each in message.ancestor_team_ids],
            title=message.title,
            role=message.role,
        )
        await self._session.execute(statement.on_conflict_do_nothing())


class IdleConnections:
    """Connections of several tenants that no stream carries and that nobody uses."""

    def __init__(self, tx: Transaction) -> None:
        self._session = tx.session

    async def close(self, tenants: Iterable[UUID], moment: datetime, count: int) -> int:
        """Ends up to so many over which nothing came since that moment; answers how many.

        Their sessions are locked before it is decided, as every append locks them: none slips in between.
        """
        recorded = exists().where(
            History.tenant_id == Connection.tenant_id,
            History.chat_session_id == Connection.chat_session_id,
            History.connection_id == Connection.id,
            History.create_time >= moment,
        )
        idle = (
            Connection.tenant_id.in_(list(tenants)),
            Connection.process_id.is_(None),
            Connection.disconnect_time.is_(None),
            Connection.connect_time < moment,
            ~recorded,
        )
        key = tuple_(Connection.tenant_id, Connection.id)
        query = select(Connection.tenant_id, Connection.id, Connection.chat_session_id).where(*idle)
        found = (await self._session.execute(query.order_by(key).limit(count))).all()
        place = tuple_(ChatSession.tenant_id, ChatSession.id)
        named = sorted({(each.tenant_id, each.chat_session_id) for each in found})
        sessions = select(ChatSession.id).where(place.in_(named))
        await self._session.execute(sessions.order_by(place).with_for_update(key_share=True))
        last = select(func.max(History.create_time)).where(
            History.tenant_id == Connection.tenant_id,
            History.chat_session_id == Connection.chat_session_id,
            History.connection_id == Connection.id,
        )
        ended = (
            update(Connection)
            .where(key.in_([(each.tenant_id, each.id) for each in found]), *idle)
            .values(disconnect_time=func.coalesce(last.scalar_subquery(), Connection.connect_time))
            .execution_options(synchronize_session=False)
        )
        return len((await self._session.execute(ended.returning(Connection.id))).all())


class Processes:
    """The processes that hold streams, and the tenants of whom they hold any."""

    def __init__(self, tx: Snapshot) -> None:
        self._session = tx.session

    async def beat(self, process_id: UUID, now: datetime) -> bool:
        """Says that the process is alive; false if it was given up, or never known."""
        statement = update(Process).where(Process.id == process_id).values(heartbeat_time=now)
        return bool((await self._session.execute(statement.returning(Process.id))).first())

    async def register(self, process_id: UUID, now: datetime) -> None:
        """Adds the process."""
        await self._session.execute(insert(Process).values(id=process_id, heartbeat_time=now))

    async def serves(self, process_id: UUID, tenant_id: UUID) -> None:
        """Notes that the process holds a stream of the tenant, or NO_PROCESS a connection without one."""
        statement = upsert(ProcessTenant).values(process_id=process_id, tenant_id=tenant_id)
        await self._session.execute(statement.on_conflict_do_nothing())

    async def silent_since(self, moment: datetime) -> Mapping[UUID, datetime]:
        """Answers the processes that were last alive before that moment, and when."""
        query = select(Process.id, Process.heartbeat_time).where(Process.heartbeat_time < moment)
        return {row.id: row.heartbeat_time for row in await self._session.execute(query)}

    async def tenants(self, process_id: UUID, count: int, after: UUID | None = None) -> Sequence[UUID]:
        """Answers some of the tenants of whom the process held streams, in the order of their ids."""
        query = select(ProcessTenant.tenant_id).where(ProcessTenant.process_id == process_id)
        if after is not None:
            query = query.where(ProcessTenant.tenant_id > after)
        return (await self._session.scalars(query.order_by(ProcessTenant.tenant_id).limit(count))).all()

    async def close_connections(self, process_id: UUID, tenants: Iterable[UUID], moment: datetime) -> None:
        """Ends what the process left open in these tenants, at that moment; it serves them no more."""
        listed = list(tenants)
        await self._session.execute(
            update(Connection)
            .where(
                Connection.process_id == process_id,
                Connection.tenant_id.in_(listed),
                Connection.disconnect_time.is_(None),
            )
            .values(disconnect_time=func.greatest(moment, Connection.connect_time))
        )
        await self._session.execute(
            delete(ProcessTenant).where(
                ProcessTenant.process_id == process_id, ProcessTenant.tenant_id.in_(listed)
            )
        )

    async def forget(self, process_id: UUID) -> None:
        """Removes the process."""
        await self._session.execute(delete(Process).where(Process.id == process_id))
