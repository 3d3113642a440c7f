"""The queries on webhook endpoints and their secrets."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, or_, select, update

from chassis.database import Snapshot
from services.enterprise.models import WebhookEndpoint, WebhookSecret
from services.enterprise.store.rows import Rows


class WebhookEndpoints(Rows):
    """The endpoints of the enterprise that are not deleted."""

    async def get(self, endpoint_id: UUID, *, lock: bool = False) -> WebhookEndpoint | None:
        """Answers the endpoint; with `lock` no other transaction changes it until this one ends."""
        wanted = select(WebhookEndpoint).where(*self._there(), WebhookEndpoint.id == endpoint_id)
        return await self._session.scalar(wanted.with_for_update() if lock else wanted)

    async def page(self, after: UUID | None, size: int) -> Sequence[WebhookEndpoint]:
        """Answers the endpoints with greater ids."""
        wanted = select(WebhookEndpoint).where(*self._there())
        if after is not None:
            wanted = wanted.where(WebhookEndpoint.id > after)
        return (await self._session.scalars(wanted.order_by(WebhookEndpoint.id).limit(size))).all()

    async def count(self) -> int:
        """Answers how many there are."""
        wanted = select(func.count()).select_from(WebhookEndpoint).where(*self._there())
        return await self._session.scalar(wanted) or 0

    async def secrets(self, endpoint_id: UUID, now: datetime) -> Sequence[WebhookSecret]:
        """Answers the secrets that sign now, the newest first."""
        valid = or_(WebhookSecret.expire_time.is_(None), WebhookSecret.expire_time > now)
        wanted = select(WebhookSecret).where(*self._secrets_of(endpoint_id), valid)
        return (await self._session.scalars(wanted.order_by(WebhookSecret.id.desc()))).all()

    async def expire_secrets(self, endpoint_id: UUID, at: datetime) -> None:
        """Lets the secrets that have no end yet end then."""
        open_ended = WebhookSecret.expire_time.is_(None)
        await self._session.execute(
            update(WebhookSecret).where(*self._secrets_of(endpoint_id), open_ended).values(expire_time=at)
        )

    async def erase_secrets(self, endpoint_id: UUID) -> None:
        """Erases all secrets."""
        await self._session.execute(delete(WebhookSecret).where(*self._secrets_of(endpoint_id)))

    def _there(self) -> tuple[ColumnElement[bool], ...]:
        return (WebhookEndpoint.tenant_id == self._tenant_id, WebhookEndpoint.delete_time.is_(None))

    def _secrets_of(self, endpoint_id: UUID) -> tuple[ColumnElement[bool], ...]:
        return (WebhookSecret.tenant_id == self._tenant_id, WebhookSecret.endpoint_id == endpoint_id)


async def endpoints_of(tx: Snapshot, tenant_ids: Collection[UUID]) -> Sequence[WebhookEndpoint]:
    """Answers the endpoints of these enterprises, all of which must be in the scope."""
    wanted = select(WebhookEndpoint).where(
        WebhookEndpoint.tenant_id.in_(tenant_ids), WebhookEndpoint.delete_time.is_(None)
    )
    return (await tx.session.scalars(wanted)).all()
