"""Opening and closing connections, with a stream or without."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from chassis.call import Caller
from chassis.clock import Clock
from chassis.crypto import Keyring
from chassis.database import Database, Scope, Snapshot, Transaction
from chassis.errors import Unavailable
from services.sessions import content, tickets
from services.sessions.authorities import Authorities, holder_of
from services.sessions.authority import Authority, Holder, Standing
from services.sessions.errors import ConnectionNotFound, SessionDeleted, TicketRefused
from services.sessions.models import Connection, Session
from services.sessions.store import NO_PROCESS, Connections, Processes, Tickets, connection_of
from wrtn.sessions.v1.recorder_pb2 import OpenConnectionRequest, Opened

RESUMABLE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Open:
    """A connection that was opened, and what its client is told."""

    authority: Authority
    opened: Opened


class Doors:
    """Opens connections by a ticket, or in continuation of one that broke, and closes them."""

    def __init__(self, db: Database, keyring: Keyring, authorities: Authorities, clock: Clock) -> None:
        self._db = db
        self._keyring = keyring
        self._authorities = authorities
        self._clock = clock
        self._doubted: Callable[[UUID, UUID], None] | None = None

    def on_doubt(self, doubted: Callable[[UUID, UUID], None]) -> None:
        """Sets what is called with tenant and id of a connection that may be open, and that nobody uses."""
        self._doubted = doubted

    async def open(self, request: OpenConnectionRequest, caller: Caller, process_id: UUID | None) -> Open:
        """Opens a connection for a credential; `process_id` is that of the process whose stream carries it.

        Raises TicketRefused, ConnectionNotFound, SessionDeleted, RightRevoked, NotGranted, Unavailable.
        """
        if request.WhichOneof("authority") == "ticket":
            return await self._by_ticket(request, caller, process_id)
        return await self._by_resumption(request, caller, process_id)

    async def close(self, connection_id: UUID, credential_id: UUID) -> None:
        """Closes a connection of the credential; raises ConnectionNotFound. Repeating it changes nothing."""
        async with self._db.snapshot(Scope(member_id=credential_id)) as tx:
            row = await connection_of(tx, connection_id, credential_id)
        if row is None:
            raise ConnectionNotFound
        await self.end(row.tenant_id, row.id)

    async def end(self, tenant_id: UUID, connection_id: UUID) -> None:
        """Records that a connection ended."""
        self._authorities.drop(connection_id)
        async with self._db.transaction(Scope.of(tenant_id)) as tx:
            await Connections(tx, tenant_id).close(connection_id, tx.now)

    async def _by_ticket(
        self, request: OpenConnectionRequest, caller: Caller, process_id: UUID | None
    ) -> Open:
        """Peeks at the ticket, asks the peers, then uses it: no transaction is held while they are asked."""
        tenant_id = tickets.tenant_of(request.ticket)
        if tenant_id is None or caller.tenant_id not in (None, tenant_id):
            raise TicketRefused
        digest = tickets.digest(request.ticket)
        async with self._db.snapshot(Scope.of(tenant_id)) as seen:
            ticket = await Tickets(seen, tenant_id).peek(digest, seen.now)
            session = await _session(seen, tenant_id, ticket.chat_session_id) if ticket is not None else None
        if ticket is None or session is None:
            raise TicketRefused
        holder = Holder(tenant_id, ticket.account_id, ticket.member_id, ticket.login_id, session.team_id)
        standing = await self._authorities.standing(holder, session, fresh=True)
        connection_id = self._clock.new_id()
        async with self._opening(tenant_id, connection_id) as tx:
            if not await Tickets(tx, tenant_id).use(digest, tx.now):
                raise TicketRefused
            row = _row(connection_id, request, caller, holder, ticket.chat_session_id, process_id, tx.now)
            opened = await self._add(tx, row, request, standing)
        self._authorities.keep(opened.authority)
        return opened

    async def _by_resumption(
        self, request: OpenConnectionRequest, caller: Caller, process_id: UUID | None
    ) -> Open:
        """Continues a connection under a new id. The one that broke ends now if it has not: one writes on.

        Of many who continue it at once one gets in: they wait for each other at the session's row. Frames
        that the broken one still stores go before, so the client is told of them.
        """
        async with self._db.snapshot(Scope(member_id=caller.credential_id)) as seen:
            broken = await connection_of(seen, UUID(request.resumed_connection_id), _credential(caller))
        if broken is None:
            raise ConnectionNotFound
        tenant_id = broken.tenant_id
        async with self._db.snapshot(Scope.of(tenant_id)) as seen:
            session = await _session(seen, tenant_id, broken.chat_session_id)
            if not await _resumable(seen, broken):
                raise ConnectionNotFound
        holder = holder_of(broken, session)
        standing = await self._authorities.standing(holder, session, fresh=True)
        connection_id = self._clock.new_id()
        async with self._opening(tenant_id, connection_id) as tx:
            await _session(tx, tenant_id, broken.chat_session_id, lock=True)
            if await Connections(tx, tenant_id).continued(broken.chat_session_id, broken.id):
                raise ConnectionNotFound
            await Connections(tx, tenant_id).close(broken.id, tx.now)
            row = _row(connection_id, request, caller, holder, broken.chat_session_id, process_id, tx.now)
            row.resumed_connection_id = broken.id
            opened = await self._add(tx, row, request, standing)
        self._authorities.drop(broken.id)
        self._authorities.keep(opened.authority)
        return opened

    @asynccontextmanager
    async def _opening(self, tenant_id: UUID, connection_id: UUID) -> AsyncIterator[Transaction]:
        """Opens the transaction that opens a connection.

        When the commit's fate is unknown, or the caller left during it, the connection may be open without
        anybody to use or end it, and it would keep the one that it resumes from being resumed again.
        """
        try:
            async with self._db.transaction(Scope.of(tenant_id)) as tx:
                yield tx
        except (Unavailable, asyncio.CancelledError):
            if self._doubted is not None:
                self._doubted(tenant_id, connection_id)
            raise

    async def _add(
        self, tx: Transaction, row: Connection, request: OpenConnectionRequest, standing: Standing
    ) -> Open:
        """Inserts the connection with what the process needs to serve it."""
        session = await _session(tx, row.tenant_id, row.chat_session_id)
        authority = await self._authorities.build(tx, row, session, standing)
        row.client, row.address = content.seal_origin(authority.key, row.id, request.client, request.address)
        await Connections(tx, row.tenant_id).add(row)
        await Processes(tx).serves(row.process_id or NO_PROCESS, row.tenant_id)
        return Open(authority, _opened(row, session))


def _row(
    connection_id: UUID,
    request: OpenConnectionRequest,
    caller: Caller,
    holder: Holder,
    session_id: UUID,
    process_id: UUID | None,
    now: datetime,
) -> Connection:
    return Connection(
        tenant_id=holder.tenant_id,
        id=connection_id,
        chat_session_id=session_id,
        account_id=holder.account_id,
        member_id=holder.member_id,
        login_id=holder.login_id,
        credential_id=_credential(caller),
        process_id=process_id,
        connect_time=now,
    )


def _opened(row: Connection, session: Session) -> Opened:
    return Opened(
        connection_id=str(row.id),
        chat_session_id=str(row.chat_session_id),
        account_id=str(row.account_id),
        model=session.model,
        last_sequence=session.last_sequence,
        tenant_id=str(row.tenant_id),
        team_id=str(session.team_id or ""),
        procedure_id=str(session.procedure_id or ""),
        procedure_version=session.procedure_version or 0,
    )


async def _session(tx: Snapshot, tenant_id: UUID, session_id: UUID, *, lock: bool = False) -> Session:
    """Answers the session of a connection; raises SessionDeleted."""
    session = await Connections(tx, tenant_id).session_of(session_id, lock=lock)
    if session is None or session.delete_time is not None:
        raise SessionDeleted
    return session


async def _resumable(tx: Snapshot, broken: Connection) -> bool:
    """Says whether a connection may be continued: it ended, or was last heard of, within the last minutes."""
    since = tx.now - RESUMABLE
    if broken.disconnect_time is not None:
        return broken.disconnect_time >= since
    if broken.process_id is not None or broken.connect_time >= since:
        # A stream that is open is alive, or its process died: then its end is recorded within a minute.
        return True
    return await Connections(tx, broken.tenant_id).recorded_since(broken.chat_session_id, broken.id, since)


def _credential(caller: Caller) -> UUID:
    if caller.credential_id is None:
        raise ConnectionNotFound
    return caller.credential_id
