"""wrtn.billing.v1 PaymentProviderService."""

from __future__ import annotations

from typing import Any

import grpc
import structlog
from google.protobuf.empty_pb2 import Empty

from chassis.clock import Clock
from services.billing.errors import (
    CardsNotSetUp,
    PaymentNotFound,
    ProviderUnreachable,
    RefundNotFound,
    WebhookRefused,
)
from services.billing.payments.collecting import Collector
from services.billing.payments.disputes import Disputing
from services.billing.payments.providers import ProviderSilent
from services.billing.payments.stripe.api import StripeKeys
from services.billing.payments.stripe.signatures import is_signed
from services.billing.payments.stripe.webhooks import MOST_BYTES, Told, ToldOfDispute, ToldOfRefund, told
from wrtn.billing.v1.payment_providers_pb2 import ReceiveStripeEventRequest
from wrtn.billing.v1.payment_providers_pb2_grpc import PaymentProviderServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]
_SIGNATURE = "stripe-signature"

_log = structlog.get_logger(__name__)


class PaymentProviders(PaymentProviderServiceServicer):
    """Hears from Stripe. Without keys there are no cards."""

    def __init__(
        self,
        clock: Clock,
        keys: StripeKeys | None,
        collector: Collector | None,
        disputing: Disputing | None,
    ) -> None:
        self._clock = clock
        self._keys = keys
        self._collector = collector
        self._disputing = disputing

    async def ReceiveStripeEvent(self, request: ReceiveStripeEventRequest, context: Context) -> Empty:
        """Verifies the event, then asks Stripe for what it is about."""
        if self._keys is None or self._collector is None or self._disputing is None:
            raise CardsNotSetUp("Cards are not set up here.")
        metadata = dict(context.invocation_metadata() or ())
        signature = str(metadata.get(_SIGNATURE, ""))
        body = request.event.data
        if len(body) > MOST_BYTES or not is_signed(
            body, signature, self._keys.webhook_secret, self._clock.now()
        ):
            raise WebhookRefused("The event is not signed by Stripe, or not lately, or too large.")
        about = told(body)
        try:
            if isinstance(about, ToldOfDispute):
                await self._disputing.advance(about.object_id)
            elif isinstance(about, ToldOfRefund):
                await self._collector.follow_refunds(about.intent_id)
            elif about is not None:
                await self._note(self._collector, about)
        except ProviderSilent as silent:
            raise ProviderUnreachable("Stripe does not answer: send it again.") from silent
        except (PaymentNotFound, RefundNotFound):
            # Another system uses the same account of Stripe.
            _log.info("stripe_event_of_others")
        return Empty()

    async def _note(self, collector: Collector, about: Told) -> None:
        if about.payment_id is not None and about.of_charge:
            await collector.refunding.follow(about.tenant_id, about.payment_id)
        elif about.payment_id is not None:
            known = await collector.advance(
                about.tenant_id,
                about.payment_id,
                provider_payment_id=about.object_id,
                event_id=about.event_id,
            )
            if known is None:
                raise ProviderUnreachable("Stripe does not answer: send it again.")
        elif about.refund_id is not None:
            await collector.refunding.advance(
                about.tenant_id, about.refund_id, provider_refund_id=about.object_id
            )
