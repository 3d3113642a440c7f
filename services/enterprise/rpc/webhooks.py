"""wrtn.enterprise.v1 WebhookService."""

from __future__ import annotations

from datetime import UTC
from typing import Any
from uuid import UUID

import grpc
from google.protobuf.empty_pb2 import Empty

from chassis.call import current
from chassis.crypto import Keyring
from chassis.database import Database, Transaction
from chassis.idempotency import once
from chassis.paging import Page
from services.enterprise import convert
from services.enterprise.store import Deliveries, WebhookEndpoints
from services.enterprise.webhooks import deliveries, settling, webhook_types, webhooks
from services.enterprise.webhooks.dispatching import Dispatcher
from services.enterprise.webhooks.webhooks import Endpoints
from wrtn.enterprise.v1 import webhooks_pb2 as pb
from wrtn.enterprise.v1.webhooks_pb2_grpc import WebhookServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class WebhookRpc(WebhookServiceServicer):
    """Keeps endpoints, and what was delivered to them."""

    def __init__(self, db: Database, keyring: Keyring, endpoints: Endpoints, dispatcher: Dispatcher) -> None:
        self._db = db
        self._keyring = keyring
        self._endpoints = endpoints
        self._dispatcher = dispatcher

    async def CreateWebhookEndpoint(
        self, request: pb.CreateWebhookEndpointRequest, context: Context
    ) -> pb.CreateWebhookEndpointResponse:
        """Creates the endpoint; a replay does not show the secret again."""
        scope = current().caller.scope
        return await once(self._db, scope, request, lambda tx: self._endpoints.create(tx, request))

    async def GetWebhookEndpoint(
        self, request: pb.GetWebhookEndpointRequest, context: Context
    ) -> pb.WebhookEndpoint:
        """Gets the endpoint."""
        async with self._db.snapshot(current().caller.scope) as tx:
            row = await webhooks.get(tx, UUID(request.enterprise_id), UUID(request.endpoint_id))
            return await self._endpoints.shown(tx, row)

    async def ListWebhookEndpoints(
        self, request: pb.ListWebhookEndpointsRequest, context: Context
    ) -> pb.ListWebhookEndpointsResponse:
        """Lists the endpoints."""
        page = Page.of(request)
        async with self._db.snapshot(current().caller.scope) as tx:
            known = WebhookEndpoints(tx, UUID(request.enterprise_id))
            rows, token = page.cut(
                await known.page(page.after(UUID), page.size + 1), key=lambda row: (str(row.id),)
            )
            shown = [await self._endpoints.shown(tx, row) for row in rows]
        return pb.ListWebhookEndpointsResponse(endpoints=shown, next_page_token=token)

    async def UpdateWebhookEndpoint(
        self, request: pb.UpdateWebhookEndpointRequest, context: Context
    ) -> pb.WebhookEndpoint:
        """Changes the endpoint."""
        scope = current().caller.scope
        return await once(self._db, scope, request, lambda tx: self._endpoints.update(tx, request))

    async def EnableWebhookEndpoint(
        self, request: pb.EnableWebhookEndpointRequest, context: Context
    ) -> pb.WebhookEndpoint:
        """Enables the endpoint, and goes on with what was on its way."""

        async def work(tx: Transaction) -> pb.WebhookEndpoint:
            tx.after_commit(self._dispatcher.queued.set)
            return await self._endpoints.enable(tx, UUID(request.enterprise_id), UUID(request.endpoint_id))

        return await once(self._db, current().caller.scope, request, work)

    async def DisableWebhookEndpoint(
        self, request: pb.DisableWebhookEndpointRequest, context: Context
    ) -> pb.WebhookEndpoint:
        """Disables the endpoint."""
        return await once(
            self._db,
            current().caller.scope,
            request,
            lambda tx: self._endpoints.disable(tx, UUID(request.enterprise_id), UUID(request.endpoint_id)),
        )

    async def DeleteWebhookEndpoint(
        self, request: pb.DeleteWebhookEndpointRequest, context: Context
    ) -> Empty:
        """Deletes the endpoint."""

        async def work(tx: Transaction) -> Empty:
            await self._endpoints.delete(tx, UUID(request.enterprise_id), UUID(request.endpoint_id))
            return Empty()

        return await once(self._db, current().caller.scope, request, work)

    async def RotateWebhookSecret(
        self, request: pb.RotateWebhookSecretRequest, context: Context
    ) -> pb.RotateWebhookSecretResponse:
        """Makes a new secret; a replay does not show it again."""
        return await once(
            self._db,
            current().caller.scope,
            request,
            lambda tx: self._endpoints.rotate(tx, UUID(request.enterprise_id), UUID(request.endpoint_id)),
        )

    async def TestWebhookEndpoint(
        self, request: pb.TestWebhookEndpointRequest, context: Context
    ) -> pb.WebhookDelivery:
        """Queues a test event."""

        async def work(tx: Transaction) -> pb.WebhookDelivery:
            tx.after_commit(self._dispatcher.queued.set)
            return convert.delivery(
                await deliveries.send_test(tx, UUID(request.enterprise_id), UUID(request.endpoint_id))
            )

        return await once(self._db, current().caller.scope, request, work)

    async def ListWebhookEventTypes(
        self, request: pb.ListWebhookEventTypesRequest, context: Context
    ) -> pb.ListWebhookEventTypesResponse:
        """Lists the catalogue."""
        return pb.ListWebhookEventTypesResponse(event_types=convert.event_types(webhook_types.catalogue()))

    async def GetWebhookDelivery(
        self, request: pb.GetWebhookDeliveryRequest, context: Context
    ) -> pb.WebhookDelivery:
        """Gets the delivery with its attempts."""
        tenant_id = UUID(request.enterprise_id)
        async with self._db.snapshot(current().caller.scope) as tx:
            row = await deliveries.get(tx, tenant_id, UUID(request.delivery_id))
            attempts = await Deliveries(tx, tenant_id).attempts(row.id)
            key = await self._keyring.key(tx, tenant_id)
        shown = [convert.attempt(each, settling.opened_excerpt(key, each)) for each in attempts]
        return convert.delivery(row, shown)

    async def ListWebhookDeliveries(
        self, request: pb.ListWebhookDeliveriesRequest, context: Context
    ) -> pb.ListWebhookDeliveriesResponse:
        """Lists the deliveries, the newest first."""
        page = Page.of(request)
        tenant_id, endpoint_id = UUID(request.enterprise_id), UUID(request.endpoint_id)
        state = pb.WebhookDelivery.State.Name(request.state).removeprefix("STATE_")
        async with self._db.snapshot(current().caller.scope) as tx:
            await webhooks.get(tx, tenant_id, endpoint_id)
            found = await Deliveries(tx, tenant_id).page(
                endpoint_id, state if request.state else None, page.after(UUID), page.size + 1
            )
        rows, token = page.cut(found, key=lambda row: (str(row.id),))
        return pb.ListWebhookDeliveriesResponse(
            deliveries=[convert.delivery(row) for row in rows], next_page_token=token
        )

    async def ReplayWebhookDelivery(
        self, request: pb.ReplayWebhookDeliveryRequest, context: Context
    ) -> pb.WebhookDelivery:
        """Queues the event once more."""

        async def work(tx: Transaction) -> pb.WebhookDelivery:
            tx.after_commit(self._dispatcher.queued.set)
            return convert.delivery(
                await deliveries.replay_one(tx, UUID(request.enterprise_id), UUID(request.delivery_id))
            )

        return await once(self._db, current().caller.scope, request, work)

    async def ReplayWebhookEvents(
        self, request: pb.ReplayWebhookEventsRequest, context: Context
    ) -> pb.ReplayWebhookEventsResponse:
        """Queues the events of the range."""

        async def work(tx: Transaction) -> pb.ReplayWebhookEventsResponse:
            tx.after_commit(self._dispatcher.queued.set)
            count = await deliveries.replay_range(
                tx,
                UUID(request.enterprise_id),
                UUID(request.endpoint_id),
                request.start_time.ToDatetime(UTC),
                request.end_time.ToDatetime(UTC),
            )
            return pb.ReplayWebhookEventsResponse(delivery_count=count)

        return await once(self._db, current().caller.scope, request, work)
