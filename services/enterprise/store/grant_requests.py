"""The queries on requests for rights."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from services.enterprise.models import GrantRequest, Visibility
from services.enterprise.store.rows import Rows
from wrtn.enterprise.v1.grant_requests_pb2 import GrantRequest as Message


class GrantRequests(Rows):
    """The requests of the enterprise."""

    async def add(self, row: GrantRequest) -> bool:
        """Adds an open request; answers False if the person has one for the resource."""
        values = {each.name: getattr(row, each.name) for each in GrantRequest.__table__.columns}
        added = (
            insert(GrantRequest)
            .values(values)
            .on_conflict_do_nothing(
                index_elements=["employee_id", "resource", "tenant_id"],
                index_where=GrantRequest.state == Message.STATE_OPEN,
            )
            .returning(GrantRequest.id)
        )
        return await self._session.scalar(added) is not None

    async def get(self, request_id: UUID) -> GrantRequest | None:
        """Answers the request."""
        return await self._session.get(GrantRequest, (self._tenant_id, request_id))

    async def page(
        self,
        before: int | None,
        size: int,
        *,
        employee_id: UUID | None = None,
        team_id: UUID | None = None,
        state: int = 0,
    ) -> Sequence[GrantRequest]:
        """Answers the requests before this one, the newest first; of a person, team or state if named."""
        wanted = select(GrantRequest).where(GrantRequest.tenant_id == self._tenant_id)
        if employee_id is not None:
            wanted = wanted.where(GrantRequest.employee_id == employee_id)
        if team_id is not None:
            wanted = wanted.where(GrantRequest.team_id == team_id)
        if state:
            wanted = wanted.where(GrantRequest.state == state)
        if before is not None:
            wanted = wanted.where(GrantRequest.sequence < before)
        return (await self._session.scalars(wanted.order_by(GrantRequest.sequence.desc()).limit(size))).all()


class Visibilities(Rows):
    """The one visibility of the enterprise."""

    async def get(self) -> Visibility | None:
        """Answers the visibility, if it was ever set."""
        return await self._session.get(Visibility, self._tenant_id)
