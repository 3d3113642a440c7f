"""The queries of the processes that serve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.database import Snapshot
from services.sessions.models import Connection, Process, ProcessTenant

NO_PROCESS = UUID(int=0)
"""Stands in the list of processes' tenants for the connections that no stream carries."""


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
