"""The queries on service credentials."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_, update

from chassis.database import Snapshot
from services.identity.models import (
    ServiceCredential,
)


class Credentials:
    """The service credentials of one tenant."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def get(self, credential_id: UUID) -> ServiceCredential | None:
        """Answers a credential."""
        return await self._session.scalar(select(ServiceCredential).where(*self._is(credential_id)))

    async def newest(self, before: tuple[datetime, UUID] | None, most: int) -> Sequence[ServiceCredential]:
        """Answers the credentials, the newest first."""
        key = (ServiceCredential.create_time, ServiceCredential.id)
        query = select(ServiceCredential).where(ServiceCredential.tenant_id == self._tenant_id)
        if before is not None:
            query = query.where(tuple_(*key) < before)
        order = (column.desc() for column in key)
        return (await self._session.scalars(query.order_by(*order).limit(most))).all()

    async def revoke(self, credential_id: UUID, now: datetime) -> ServiceCredential | None:
        """Revokes a credential; None if it is revoked already or not the tenant's."""
        revoked = (
            update(ServiceCredential)
            .where(*self._is(credential_id), ServiceCredential.revoke_time.is_(None))
            .values(revoke_time=now, version=ServiceCredential.version + 1)
            .returning(ServiceCredential)
        )
        return await self._session.scalar(revoked)

    def _is(self, credential_id: UUID) -> tuple[Any, Any]:
        return ServiceCredential.tenant_id == self._tenant_id, ServiceCredential.id == credential_id
