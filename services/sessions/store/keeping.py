"""The queries of retention, holds and the purge."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, or_, select, tuple_, union, update
from sqlalchemy.dialects.postgresql import insert as upsert

from chassis.database import Snapshot, Transaction
from services.sessions.models import Connection, History, LegalHold, PlanRetention, Retention, Session


class Retentions:
    """The retention of a tenant."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def get(self) -> Retention | None:
        """Answers the setting, if there is one."""
        return await self._session.scalar(select(Retention).where(Retention.tenant_id == self._tenant_id))

    async def put(self, values: dict[str, Any]) -> Retention:
        """Sets it, over what there is."""
        statement = upsert(Retention).values(tenant_id=self._tenant_id, **values)
        statement = statement.on_conflict_do_update(index_elements=["tenant_id"], set_=values)
        return (await self._session.scalars(statement.returning(Retention))).one()


class PlanRetentions:
    """What the plan of a tenant lets be kept."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def days(self) -> int:
        """Answers the most days; 0 for no limit."""
        query = select(PlanRetention.days).where(PlanRetention.tenant_id == self._tenant_id)
        return await self._session.scalar(query) or 0

    async def note(self, days: int, start_time: datetime, version: int) -> None:
        """Notes what billing told, unless something newer was told."""
        values = {"days": days, "start_time": start_time, "version": version}
        newer = tuple_(PlanRetention.start_time, PlanRetention.version) < tuple_(start_time, version)
        statement = upsert(PlanRetention).values(tenant_id=self._tenant_id, **values)
        await self._session.execute(
            statement.on_conflict_do_update(index_elements=["tenant_id"], set_=values, where=newer)
        )


class LegalHolds:
    """The holds of a tenant."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def exclude_purges(self) -> None:
        """Waits for the purge that is under way in the tenant, and keeps the next one out until the commit.

        So nobody is told that a hold lasts while what it holds is being destroyed.
        """
        await self._session.execute(select(func.pg_advisory_xact_lock(_lock_of(self._tenant_id))))

    async def add(self, row: LegalHold) -> None:
        """Inserts a hold."""
        self._session.add(row)
        await self._session.flush()

    async def lasting(self, hold_id: UUID) -> LegalHold | None:
        """Answers and locks a hold that lasts."""
        query = select(LegalHold).where(
            LegalHold.tenant_id == self._tenant_id, LegalHold.id == hold_id, LegalHold.release_time.is_(None)
        )
        return await self._session.scalar(query.with_for_update())

    async def page(self, after: tuple[datetime, UUID] | None, count: int) -> Sequence[LegalHold]:
        """Answers the holds that last, the newest first, from after that place on."""
        query = select(LegalHold).where(
            LegalHold.tenant_id == self._tenant_id, LegalHold.release_time.is_(None)
        )
        if after is not None:
            query = query.where(tuple_(LegalHold.create_time, LegalHold.id) < after)
        query = query.order_by(LegalHold.create_time.desc(), LegalHold.id.desc()).limit(count)
        return (await self._session.scalars(query)).all()

    async def can_hold(self, session_id: UUID | None, account_id: UUID | None) -> bool:
        """Says whether there is such a session, deleted or not, or a session of such an account."""
        found = exists().where(
            Session.tenant_id == self._tenant_id,
            Session.id == session_id if session_id is not None else Session.account_id == account_id,
            Session.purge_time.is_(None),
        )
        return bool(await self._session.scalar(select(found)))


class Purges:
    """What of a tenant is to be destroyed."""

    def __init__(self, tx: Transaction, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id
        self._now = tx.now

    async def exclude_holds(self) -> None:
        """Keeps new holds waiting until the commit."""
        await self._session.execute(select(func.pg_advisory_xact_lock(_lock_of(self._tenant_id))))

    async def due(self, keep: timedelta | None, deleted: timedelta, count: int) -> Sequence[Session]:
        """Answers and locks sessions whose time is over and that nothing holds: deleted ones first."""
        rows = await self._unheld(Session.delete_time <= self._now - deleted, count)
        if rows or keep is None:
            return rows
        idle = Session.last_activity_time <= self._now - keep
        return await self._unheld(Session.delete_time.is_(None) & idle, count)

    async def begun(self, count: int) -> Sequence[Session]:
        """Answers and locks sessions whose purge began and is not done."""
        query = self._locked(count).where(
            Session.delete_time.is_not(None), Session.purge_time.is_not(None), ~Session.purged
        )
        return (await self._session.scalars(query)).all()

    async def empty_bodies(self, session_id: UUID, count: int) -> int:
        """Empties so many bodies of the session, and answers how many there were."""
        filled = (
            select(History.id)
            .where(
                History.tenant_id == self._tenant_id,
                History.chat_session_id == session_id,
                func.octet_length(History.body) > 0,
            )
            .order_by(History.sequence)
            .limit(count)
        )
        result: Any = await self._session.execute(
            update(History)
            .where(History.tenant_id == self._tenant_id, History.id.in_(filled))
            .values(body=b"")
            .execution_options(synchronize_session=False)
        )
        return int(result.rowcount)

    async def forget_origins(self, session_id: UUID) -> None:
        """Forgets the clients and addresses of the session's connections."""
        await self._session.execute(
            update(Connection)
            .where(Connection.tenant_id == self._tenant_id, Connection.chat_session_id == session_id)
            .values(client=None, address=None)
        )

    async def _unheld(self, due: ColumnElement[bool], count: int) -> Sequence[Session]:
        held = exists().where(
            LegalHold.tenant_id == self._tenant_id,
            LegalHold.release_time.is_(None),
            or_(LegalHold.chat_session_id == Session.id, LegalHold.account_id == Session.account_id),
        )
        query = self._locked(count).where(due, Session.purge_time.is_(None), ~Session.purged, ~held)
        return (await self._session.scalars(query)).all()

    def _locked(self, count: int) -> Any:
        query = select(Session).where(Session.tenant_id == self._tenant_id)
        return query.limit(count).with_for_update(of=Session, skip_locked=True)


async def tenants_to_purge(worker: Snapshot, after: UUID, count: int) -> Sequence[UUID]:
    """Answers the next tenants that have deleted sessions, or keep no session for ever. The worker role's."""
    deleted = select(Session.tenant_id).where(
        Session.delete_time.is_not(None), ~Session.purged, Session.tenant_id > after
    )
    limited = select(Retention.tenant_id).where(Retention.keep_days > 0, Retention.tenant_id > after)
    plan = PlanRetention
    planned = select(plan.tenant_id).where(plan.days > 0, plan.tenant_id > after)
    found = union(deleted, limited, planned).subquery()
    return (await worker.session.scalars(select(found.c.tenant_id).order_by("tenant_id").limit(count))).all()


def _lock_of(tenant_id: UUID) -> Any:
    return func.hashtextextended(f"wrtn_legal_holds/{tenant_id}", 0)
