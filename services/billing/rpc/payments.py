"""wrtn.billing.v1 PaymentService."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import grpc

from chassis.database import Scope, Transaction
from chassis.idempotency import once
from chassis.paging import Page
from chassis.service import Runtime
from services.billing.errors import CardsNotSetUp, PaymentNotCancellable
from services.billing.payments import payments, refunds
from services.billing.payments.collecting import Collector
from services.billing.payments.convert_payments import payment as shown
from services.billing.payments.convert_payments import refund as shown_refund
from services.billing.payments.payers import require_payer
from services.billing.payments.refunds import Refunding
from services.billing.settings import BillingSettings
from services.billing.store.payments import Payments as Store
from wrtn.billing.v1 import payments_pb2 as pb
from wrtn.billing.v1.payments_pb2_grpc import PaymentServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class Payments(PaymentServiceServicer):
    """Takes payments and gives money back. Without a collector there are no cards."""

    def __init__(
        self, runtime: Runtime[BillingSettings], collector: Collector | None, refunding: Refunding
    ) -> None:
        self._runtime = runtime
        self._collector = collector
        self._refunding = refunding

    async def CreatePayment(
        self, request: pb.CreatePaymentRequest, context: Context
    ) -> pb.CreatePaymentResponse:
        """Begins a payment, then asks the provider for it."""
        tenant_id = await self._payer(request.tenant_id)
        collector = self._cards()

        async def begin(tx: Transaction) -> pb.Payment:
            row = await payments.begin(
                tx,
                tenant_id,
                invoice_id=_id(request.invoice_id),
                amount=Decimal(request.amount) if request.amount else None,
                currency=request.currency,
                method_id=_id(request.payment_method_id),
            )
            return shown(row)

        payment_id = UUID((await once(self._runtime.db, Scope.of(tenant_id), request, begin)).id)
        outcome = await collector.advance(tenant_id, payment_id)
        return pb.CreatePaymentResponse(
            payment=await self._read(tenant_id, payment_id),
            client_secret=outcome.client_secret if outcome is not None else "",
        )

    async def GetPayment(self, request: pb.GetPaymentRequest, context: Context) -> pb.Payment:
        """Gets a payment."""
        return await self._read(await self._payer(request.tenant_id), UUID(request.payment_id))

    async def ListPayments(
        self, request: pb.ListPaymentsRequest, context: Context
    ) -> pb.ListPaymentsResponse:
        """Lists payments, the newest first."""
        page, tenant_id = Page.of(request), await self._payer(request.tenant_id)
        async with self._runtime.db.snapshot(Scope.of(tenant_id)) as snapshot:
            found = await Store(snapshot, tenant_id).page(
                _id(request.invoice_id), page.after(UUID), page.size + 1
            )
        rows, token = page.cut(found, key=lambda row: (str(row.id),))
        return pb.ListPaymentsResponse(payments=map(shown, rows), next_page_token=token)

    async def CancelPayment(self, request: pb.CancelPaymentRequest, context: Context) -> pb.Payment:
        """Gives up a payment at the provider."""
        tenant_id, payment_id = await self._payer(request.tenant_id), UUID(request.payment_id)
        if (await self._read(tenant_id, payment_id)).state != pb.Payment.STATE_ACTION_REQUIRED:
            raise PaymentNotCancellable("The payment waits for nobody.", field="payment_id")
        await self._cards().advance(tenant_id, payment_id, give_up=True)
        return await self._read(tenant_id, payment_id)

    async def BookBankTransfer(self, request: pb.BookBankTransferRequest, context: Context) -> pb.Payment:
        """Books a transfer that came."""
        tenant_id = UUID(request.tenant_id)

        async def book(tx: Transaction) -> pb.Payment:
            row = await payments.book_transfer(
                tx,
                tenant_id,
                request.transaction,
                Decimal(request.amount),
                request.currency,
                invoice_id=_id(request.invoice_id),
                reason=request.reason,
            )
            return shown(row)

        return await once(self._runtime.db, Scope.of(tenant_id), request, book)

    async def RefundPayment(self, request: pb.RefundPaymentRequest, context: Context) -> pb.Refund:
        """Begins a refund, then asks the provider for it."""
        tenant_id, payment_id = UUID(request.tenant_id), UUID(request.payment_id)

        async def begin(tx: Transaction) -> pb.Refund:
            row = await refunds.begin(tx, tenant_id, payment_id, Decimal(request.amount), request.reason)
            paid = await payments.found(tx, tenant_id, payment_id)
            return shown_refund(row, paid.currency)

        begun = await once(self._runtime.db, Scope.of(tenant_id), request, begin)
        row = await self._refunding.advance(tenant_id, UUID(begun.id))
        return shown_refund(row, begun.currency)

    async def _read(self, tenant_id: UUID, payment_id: UUID) -> pb.Payment:
        async with self._runtime.db.snapshot(Scope.of(tenant_id)) as snapshot:
            return shown(await payments.found(snapshot, tenant_id, payment_id))

    async def _payer(self, tenant: str) -> UUID:
        tenant_id = UUID(tenant)
        await require_payer(self._runtime, tenant_id)
        return tenant_id

    def _cards(self) -> Collector:
        if self._collector is None:
            raise CardsNotSetUp("Cards are not set up here: pay by bank transfer.")
        return self._collector


def _id(text: str) -> UUID | None:
    return UUID(text) if text else None
