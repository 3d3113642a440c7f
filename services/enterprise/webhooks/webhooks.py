"""Keeping webhook endpoints."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from uuid import UUID

from chassis import masks, timestamps
from chassis.crypto import DataKey, Keyring
from chassis.database import Snapshot, Transaction
from chassis.outbound import Outbound, OutboundRefused
from services.enterprise import convert, events
from services.enterprise.errors import TooManyWebhooks, WebhookNotFound, WebhookUrlRefused
from services.enterprise.models import DisableReason, EndpointState, WebhookEndpoint, WebhookSecret
from services.enterprise.store import Deliveries, Enterprises, WebhookEndpoints
from services.enterprise.webhooks import signing, webhook_types
from wrtn.enterprise.v1 import webhooks_pb2 as pb

OVERLAP = timedelta(hours=24)
"""For how long a rotated secret signs beside its successor."""
_MOST = 20
_URL = "wrtn_webhook_endpoints.url"
_SECRET = "wrtn_webhook_secrets.secret"  # noqa: S105 - the name of the column, not a secret
_CHANGEABLE = ("url", "description", "event_types")


class Endpoints:
    """The use cases of endpoints."""

    def __init__(self, keyring: Keyring, outbound: Outbound) -> None:
        self._keyring = keyring
        self._outbound = outbound

    async def create(
        self, tx: Transaction, request: pb.CreateWebhookEndpointRequest
    ) -> pb.CreateWebhookEndpointResponse:
        """Creates an endpoint; raises WebhookUrlRefused, EventTypeUnknown and TooManyWebhooks."""
        tenant_id, wanted = UUID(request.enterprise_id), request.endpoint
        self._require_url(wanted.url)
        webhook_types.require_known(wanted.event_types)
        # Behind the enterprise's lock, so that the count holds.
        await Enterprises(tx, tenant_id).lock()
        if await WebhookEndpoints(tx, tenant_id).count() >= _MOST:
            raise TooManyWebhooks(f"An enterprise has {_MOST} webhook endpoints at most.")
        key = await self._keyring.key(tx, tenant_id)
        row = WebhookEndpoint(
            tenant_id=tenant_id,
            id=tx.clock.new_id(),
            description=wanted.description,
            event_types=list(wanted.event_types),
            state=EndpointState.ENABLED,
            version=1,
            create_time=tx.now,
        )
        row.url = sealed_url(key, row, wanted.url)
        tx.session.add(row)
        await tx.session.flush()
        secret = self._add_secret(tx, key, row)
        tx.audit("webhook_endpoint.created", tenant_id=tenant_id, target_id=row.id)
        return pb.CreateWebhookEndpointResponse(endpoint=convert.endpoint(row, wanted.url), secret=secret)

    async def update(self, tx: Transaction, request: pb.UpdateWebhookEndpointRequest) -> pb.WebhookEndpoint:
        """Changes an endpoint; raises WebhookNotFound and what `create` raises for the same fields."""
        changes = masks.changes(request.endpoint, request.update_mask, allowed=_CHANGEABLE)
        row = await get(tx, UUID(request.enterprise_id), UUID(request.endpoint.id), lock=True)
        if "url" in changes:
            self._require_url(changes["url"])
            row.url = sealed_url(await self._keyring.key(tx, row.tenant_id), row, changes["url"])
        if "event_types" in changes:
            webhook_types.require_known(changes["event_types"])
            row.event_types = list(changes["event_types"])
        row.description = changes.get("description", row.description)
        row.version += 1
        tx.audit("webhook_endpoint.updated", tenant_id=row.tenant_id, target_id=row.id)
        return await self.shown(tx, row)

    async def enable(self, tx: Transaction, tenant_id: UUID, endpoint_id: UUID) -> pb.WebhookEndpoint:
        """Enables an endpoint; an enabled one stays as it is."""
        row = await get(tx, tenant_id, endpoint_id, lock=True)
        if row.state == EndpointState.DISABLED:
            row.state, row.disable_reason, row.failing_time = EndpointState.ENABLED, None, None
            row.version += 1
            await Deliveries(tx, tenant_id).unpark(endpoint_id, tx.now)
            tx.audit("webhook_endpoint.enabled", tenant_id=tenant_id, target_id=endpoint_id)
        return await self.shown(tx, row)

    async def disable(self, tx: Transaction, tenant_id: UUID, endpoint_id: UUID) -> pb.WebhookEndpoint:
        """Disables an endpoint; a disabled one stays as it is."""
        row = await get(tx, tenant_id, endpoint_id, lock=True)
        if row.state == EndpointState.ENABLED:
            await disable(tx, row, DisableReason.REQUESTED)
        return await self.shown(tx, row)

    async def delete(self, tx: Transaction, tenant_id: UUID, endpoint_id: UUID) -> None:
        """Deletes an endpoint, and its secrets for good."""
        row = await get(tx, tenant_id, endpoint_id, lock=True)
        row.delete_time = tx.now
        row.version += 1
        await WebhookEndpoints(tx, tenant_id).erase_secrets(endpoint_id)
        await Deliveries(tx, tenant_id).park(endpoint_id)
        tx.audit("webhook_endpoint.deleted", tenant_id=tenant_id, target_id=endpoint_id)

    async def rotate(
        self, tx: Transaction, tenant_id: UUID, endpoint_id: UUID
    ) -> pb.RotateWebhookSecretResponse:
        """Makes a new secret; the old one signs beside it for a day."""
        row = await get(tx, tenant_id, endpoint_id, lock=True)
        expire_time = tx.now + OVERLAP
        await WebhookEndpoints(tx, tenant_id).expire_secrets(endpoint_id, expire_time)
        secret = self._add_secret(tx, await self._keyring.key(tx, tenant_id), row)
        tx.audit("webhook_secret.rotated", tenant_id=tenant_id, target_id=endpoint_id)
        return pb.RotateWebhookSecretResponse(secret=secret, old_expire_time=timestamps.of(expire_time))

    async def shown(self, tx: Snapshot, row: WebhookEndpoint) -> pb.WebhookEndpoint:
        """Answers the endpoint with its URL in plain text."""
        key = await self._keyring.key(tx, row.tenant_id)
        return convert.endpoint(row, opened_url(key, row))

    def _require_url(self, url: str) -> None:
        try:
            self._outbound.check(url)
        except OutboundRefused as error:
            raise WebhookUrlRefused(
                "The URL may not be asked.", field="endpoint.url", refusal=error.reason
            ) from error

    def _add_secret(self, tx: Transaction, key: DataKey, row: WebhookEndpoint) -> str:
        """Adds a secret; answers it as it is shown, once."""
        text = tx.clock.secret(signing.SECRET_BYTES)
        secret = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        secret_id = tx.clock.new_id()
        tx.session.add(
            WebhookSecret(
                tenant_id=row.tenant_id,
                id=secret_id,
                endpoint_id=row.id,
                secret=key.encrypt(secret, _SECRET, row.tenant_id, secret_id),
                create_time=tx.now,
            )
        )
        return signing.shown(secret)


async def get(tx: Snapshot, tenant_id: UUID, endpoint_id: UUID, *, lock: bool = False) -> WebhookEndpoint:
    """Answers the endpoint; raises WebhookNotFound."""
    row = await WebhookEndpoints(tx, tenant_id).get(endpoint_id, lock=lock)
    if row is None:
        raise WebhookNotFound("The webhook endpoint does not exist.", field="endpoint_id")
    return row


async def disable(tx: Transaction, row: WebhookEndpoint, reason: DisableReason) -> None:
    """Disables an enabled endpoint, and parks what is on its way."""
    row.state, row.disable_reason = EndpointState.DISABLED, reason
    row.version += 1
    await Deliveries(tx, row.tenant_id).park(row.id)
    tx.audit("webhook_endpoint.disabled", tenant_id=row.tenant_id, target_id=row.id, why=reason)
    events.endpoint_disabled(tx, row)


def sealed_url(key: DataKey, row: WebhookEndpoint, url: str) -> bytes:
    """Encrypts an endpoint's URL."""
    return key.encrypt(url.encode(), _URL, row.tenant_id, row.id)


def opened_url(key: DataKey, row: WebhookEndpoint) -> str:
    """Decrypts an endpoint's URL."""
    return key.decrypt(row.url, _URL, row.tenant_id, row.id).decode()


async def signing_secrets(tx: Snapshot, key: DataKey, row: WebhookEndpoint, now: datetime) -> list[bytes]:
    """Answers the secrets that sign for the endpoint now, the newest first."""
    found = await WebhookEndpoints(tx, row.tenant_id).secrets(row.id, now)
    return [key.decrypt(each.secret, _SECRET, each.tenant_id, each.id) for each in found]
