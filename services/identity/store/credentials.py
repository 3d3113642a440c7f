"""The queries on service credentials."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select, tuple_, update

from chassis.database import Snapshot
from services.identity.models import CredentialKind, ServiceCredential


class Credentials:
    """The credentials of one kind that one tenant has."""

    def __init__(
        self, tx: Snapshot, tenant_id: UUID, kind: CredentialKind = CredentialKind.CREDENTIAL
    ) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id
        self._kind = kind

    async def get(self, credential_id: UUID) -> ServiceCredential | None:
        """Answers a credential."""
        return await self._session.scalar(select(ServiceCredential).where(*self._is(credential_id)))

    async def newest(self, before: tuple[datetime, UUID] | None, most: int) -> Sequence[ServiceCredential]:
        """Answers the credentials, the newest first."""
        key = (ServiceCredential.create_time, ServiceCredential.id)
        query = select(ServiceCredential).where(
            ServiceCredential.tenant_id == self._tenant_id, ServiceCredential.kind == self._kind
        )
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

    async def rename(self, credential_id: UUID, display_name: str) -> ServiceCredential | None:
        """Gives a credential another name; None if it is not the tenant's."""
        renamed = (
            update(ServiceCredential)
            .where(*self._is(credential_id))
            .values(display_name=display_name, version=ServiceCredential.version + 1)
        )
        return await self._session.scalar(renamed.returning(ServiceCredential))

    async def lock(self, credential_id: UUID) -> ServiceCredential | None:
        """Answers a credential that nobody else changes before the end of the transaction."""
        query = select(ServiceCredential).where(*self._is(credential_id)).with_for_update()
        return await self._session.scalar(query)

    async def used(self, credential_id: UUID, now: datetime, unless_after: datetime) -> None:
        """Writes when a credential of any kind was last used, unless that was a moment before."""
        last = ServiceCredential.last_use_time
        used = update(ServiceCredential).where(
            ServiceCredential.tenant_id == self._tenant_id,
            ServiceCredential.id == credential_id,
            or_(last.is_(None), last <= unless_after),
        )
        await self._session.execute(used.values(last_use_time=now))

    def _is(self, credential_id: UUID) -> tuple[Any, Any, Any]:
        return (
            ServiceCredential.tenant_id == self._tenant_id,
            ServiceCredential.id == credential_id,
            ServiceCredential.kind == self._kind,
        )
