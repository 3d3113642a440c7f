"""The queries of connections."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, func, select, tuple_, update
from sqlalchemy.orm import aliased

from chassis.database import Snapshot, Transaction
from services.sessions.models import Connection, History, Session


class Connections:
    """The connections of a tenant."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def add(self, row: Connection) -> None:
        """Inserts a connection."""
        self._session.add(row)
        await self._session.flush()

    async def session_of(self, session_id: UUID, *, lock: bool = False) -> Session | None:
        """Answers the session that a connection records in, deleted or not.

        The lock is the one that every append takes: nothing is recorded in the session while it is held.
        """
        query = select(Session).where(Session.tenant_id == self._tenant_id, Session.id == session_id)
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
        place = tuple_(Session.tenant_id, Session.id)
        named = sorted({(each.tenant_id, each.chat_session_id) for each in found})
        sessions = select(Session.id).where(place.in_(named))
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
