"""wrtn.billing.v1 PaymentMethodService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc
from google.protobuf.empty_pb2 import Empty

from chassis.database import Scope, Transaction
from chassis.idempotency import once
from chassis.paging import Page
from chassis.service import Runtime
from services.billing.errors import CardsNotSetUp, PaymentSetupNotFound, ProviderUnreachable
from services.billing.payments import payment_methods
from services.billing.payments.payers import require_payer
from services.billing.payments.providers import ProviderSilent
from services.billing.payments.stripe.saving import Saving
from services.billing.settings import BillingSettings
from services.billing.store.payment_methods import PaymentMethods as Store
from wrtn.billing.v1 import payment_methods_pb2 as pb
from wrtn.billing.v1.payment_methods_pb2_grpc import PaymentMethodServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class PaymentMethods(PaymentMethodServiceServicer):
    """Keeps saved cards. Without `saving` there are none."""

    def __init__(self, runtime: Runtime[BillingSettings], saving: Saving | None) -> None:
        self._runtime = runtime
        self._saving = saving

    async def BeginPaymentMethod(
        self, request: pb.BeginPaymentMethodRequest, context: Context
    ) -> pb.BeginPaymentMethodResponse:
        """Begins to save a card. Nothing is kept here but how the provider knows the tenant."""
        tenant_id, saving = await self._payer(request.tenant_id), self._cards()
        key = request.request_id or str(self._runtime.clock.new_id())
        try:
            setup = await saving.begin(await self._customer(saving, tenant_id), f"{tenant_id}-{key}")
        except ProviderSilent as silent:
            raise _unreachable() from silent
        return pb.BeginPaymentMethodResponse(
            setup_id=setup.id, client_secret=setup.client_secret, publishable_key=saving.publishable_key
        )

    async def CreatePaymentMethod(
        self, request: pb.CreatePaymentMethodRequest, context: Context
    ) -> pb.PaymentMethod:
        """Saves the card that the page gave to the provider."""
        tenant_id, saving = await self._payer(request.tenant_id), self._cards()
        async with self._runtime.db.snapshot(Scope.of(tenant_id)) as snapshot:
            customer_id = await Store(snapshot, tenant_id).customer_id()
        if customer_id is None:
            raise PaymentSetupNotFound("There is no such setup.", field="setup_id")
        try:
            saved = await saving.finish(request.setup_id, customer_id)
        except ProviderSilent as silent:
            raise _unreachable() from silent

        async def save(tx: Transaction) -> pb.PaymentMethod:
            row = await payment_methods.save(tx, self._runtime.keyring, tenant_id, saved)
            return await payment_methods.shown(tx, self._runtime.keyring, row)

        return await once(self._runtime.db, Scope.of(tenant_id), request, save)

    async def ListPaymentMethods(
        self, request: pb.ListPaymentMethodsRequest, context: Context
    ) -> pb.ListPaymentMethodsResponse:
        """Lists the saved cards."""
        page, tenant_id = Page.of(request), await self._payer(request.tenant_id)
        async with self._runtime.db.snapshot(Scope.of(tenant_id)) as snapshot:
            found = await Store(snapshot, tenant_id).page(page.after(UUID), page.size + 1)
            rows, token = page.cut(found, key=lambda row: (str(row.id),))
            cards = [await payment_methods.shown(snapshot, self._runtime.keyring, row) for row in rows]
        return pb.ListPaymentMethodsResponse(payment_methods=cards, next_page_token=token)

    async def MakePaymentMethodDefault(
        self, request: pb.MakePaymentMethodDefaultRequest, context: Context
    ) -> pb.PaymentMethod:
        """Makes a card the default."""
        tenant_id, method_id = await self._payer(request.tenant_id), UUID(request.payment_method_id)

        async def make(tx: Transaction) -> pb.PaymentMethod:
            row = await payment_methods.make_default(tx, tenant_id, method_id)
            return await payment_methods.shown(tx, self._runtime.keyring, row)

        return await once(self._runtime.db, Scope.of(tenant_id), request, make)

    async def DeletePaymentMethod(self, request: pb.DeletePaymentMethodRequest, context: Context) -> Empty:
        """Forgets a card."""
        tenant_id, method_id = await self._payer(request.tenant_id), UUID(request.payment_method_id)

        async def delete(tx: Transaction) -> Empty:
            await payment_methods.delete(tx, tenant_id, method_id)
            return Empty()

        return await once(self._runtime.db, Scope.of(tenant_id), request, delete)

    async def _customer(self, saving: Saving, tenant_id: UUID) -> str:
        """Answers how the provider knows the tenant; makes it known first, if it does not."""
        async with self._runtime.db.snapshot(Scope.of(tenant_id)) as snapshot:
            known = await Store(snapshot, tenant_id).customer_id()
        if known is not None:
            return known
        made = await saving.customer(tenant_id)
        async with self._runtime.db.transaction(Scope.of(tenant_id)) as tx:
            store = Store(tx, tenant_id)
            await store.know(made, tx.now)
            return await store.customer_id() or made

    async def _payer(self, tenant: str) -> UUID:
        tenant_id = UUID(tenant)
        await require_payer(self._runtime, tenant_id)
        return tenant_id

    def _cards(self) -> Saving:
        if self._saving is None:
            raise CardsNotSetUp("Cards are not set up here: pay by bank transfer.")
        return self._saving


def _unreachable() -> ProviderUnreachable:
    return ProviderUnreachable("The card provider does not answer: try again.", retry_after=5)
