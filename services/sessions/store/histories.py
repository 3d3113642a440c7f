"""The queries of histories and of whose usage they are, but those of the group commit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Row

from chassis.database import Snapshot, Transaction
from services.sessions.attributions import Pinned
from services.sessions.models import Attribution, History

# An insert-only table gives SQLAlchemy's session nothing to follow: rows are read as they are.
HistoryRow = Row[Any]


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
