"""wrtn.billing.v1 InvoiceService and InvoiceSettingsService."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any
from uuid import UUID

import grpc
from google.api.httpbody_pb2 import HttpBody

from chassis.database import Scope, Snapshot, Transaction
from chassis.idempotency import once
from chassis.paging import Page, time_and_id
from chassis.service import Runtime
from services.billing import models
from services.billing.errors import InvoiceNotFound
from services.billing.invoices import (
    convert_invoices,
    finalizing,
    invoice_cycle,
    invoice_documents,
    invoice_settings,
    invoicing,
)
from services.billing.invoices.drafting import Drafter
from services.billing.invoices.invoicing import CreditLine
from services.billing.invoices.numbers import numbered
from services.billing.invoices.team_names import TeamNames
from services.billing.readers import reading
from services.billing.settings import BillingSettings
from services.billing.store.customers import Customer
from services.billing.store.invoices import CreditNotes
from services.billing.store.invoices import Invoices as Store
from wrtn.billing.v1 import invoice_settings_pb2 as settings_pb
from wrtn.billing.v1 import invoices_pb2 as pb
from wrtn.billing.v1.invoice_settings_pb2_grpc import InvoiceSettingsServiceServicer
from wrtn.billing.v1.invoices_pb2_grpc import InvoiceServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]
_Verb = pb.FinalizeInvoiceRequest | pb.VoidInvoiceRequest | pb.WriteOffInvoiceRequest


class Invoices(InvoiceServiceServicer):
    """Shows invoices, and does to them what administrators decide."""

    def __init__(self, runtime: Runtime[BillingSettings], drafter: Drafter, names: TeamNames) -> None:
        self._runtime = runtime
        self._db = runtime.db
        self._drafter = drafter
        self._names = names

    async def GetInvoice(self, request: pb.GetInvoiceRequest, context: Context) -> pb.Invoice:
        """Gets an invoice with its lines."""
        tenant_id = UUID(request.enterprise_id)
        async with self._read(tenant_id) as snapshot:
            return await self._whole(snapshot, await _found(snapshot, tenant_id, request.invoice_id))

    async def ListInvoices(
        self, request: pb.ListInvoicesRequest, context: Context
    ) -> pb.ListInvoicesResponse:
        """Lists invoices."""
        page, tenant_id = Page.of(request), UUID(request.enterprise_id)
        async with self._read(tenant_id) as snapshot:
            found = await Store(snapshot, tenant_id).page(page.after(time_and_id), page.size + 1)
        rows, token = page.cut(found, key=lambda row: (row.create_time.isoformat(), str(row.id)))
        return pb.ListInvoicesResponse(
            invoices=[convert_invoices.invoice(row) for row in rows], next_page_token=token
        )

    async def PreviewInvoice(self, request: pb.PreviewInvoiceRequest, context: Context) -> pb.Invoice:
        """Shows what the running month's invoice would say."""
        tenant_id = UUID(request.enterprise_id)
        drafter = await self._names.known_to(self._drafter, tenant_id)
        async with self._read(tenant_id) as snapshot:
            period = await invoice_cycle.running_period(snapshot, tenant_id)
            drawn = await drafter.draw(snapshot, tenant_id, period.start, snapshot.now, period.end)
        return convert_invoices.preview(tenant_id, period, drawn)

    async def DownloadInvoice(
        self, request: pb.DownloadInvoiceRequest, context: Context
    ) -> AsyncIterator[HttpBody]:
        """Streams the invoice as PDF."""
        tenant_id = UUID(request.enterprise_id)
        async with self._read(tenant_id) as snapshot:
            shown = await self._whole(snapshot, await _found(snapshot, tenant_id, request.invoice_id))
            zone = await Customer(snapshot, tenant_id).time_zone()
        await _send_as(context, f"{shown.number or 'draft'}.pdf")
        async for data in invoice_documents.pdf(shown, zone, self._runtime.settings.seller):
            yield HttpBody(content_type="application/pdf", data=data)

    async def DownloadInvoiceUsage(
        self, request: pb.DownloadInvoiceUsageRequest, context: Context
    ) -> AsyncIterator[HttpBody]:
        """Streams the usages of the invoice as CSV."""
        tenant_id = UUID(request.enterprise_id)
        async with self._read(tenant_id) as snapshot:
            row = await _found(snapshot, tenant_id, request.invoice_id)
        name = numbered("INV", row.number) or "draft"
        await _send_as(context, f"{name}.csv")
        async for data in invoice_documents.usage_csv(self._db, row):
            yield HttpBody(content_type="text/csv; charset=utf-8", data=data)

    async def FinalizeInvoice(self, request: pb.FinalizeInvoiceRequest, context: Context) -> pb.Invoice:
        """Finalises a draft."""
        drafter = await self._names.known_to(self._drafter, UUID(request.enterprise_id))
        return await self._done(request, lambda tx, *ids: finalizing.finalize(tx, drafter, *ids))

    async def VoidInvoice(self, request: pb.VoidInvoiceRequest, context: Context) -> pb.Invoice:
        """Withdraws an invoice."""
        return await self._done(
            request,
            lambda tx, tenant_id, invoice_id: finalizing.void(
                tx, self._drafter, tenant_id, invoice_id, request.reason
            ),
        )

    async def WriteOffInvoice(self, request: pb.WriteOffInvoiceRequest, context: Context) -> pb.Invoice:
        """Gives the rest of an invoice up."""
        return await self._done(
            request,
            lambda tx, tenant_id, invoice_id: finalizing.write_off(tx, tenant_id, invoice_id, request.reason),
        )

    async def CreditInvoice(self, request: pb.CreditInvoiceRequest, context: Context) -> pb.CreditNote:
        """Credits an amount of an invoice."""
        tenant_id = UUID(request.enterprise_id)
        line = CreditLine(Decimal(request.amount), request.reason)

        async def work(tx: Transaction) -> pb.CreditNote:
            row = await _found(tx, tenant_id, request.invoice_id)
            keyring = self._drafter.keyring
            note = await invoicing.credit_note(tx, keyring, tenant_id, row.id, [line], request.reason)
            return await self._note(tx, note)

        return await once(self._db, Scope.of(tenant_id), request, work)

    async def ListCreditNotes(
        self, request: pb.ListCreditNotesRequest, context: Context
    ) -> pb.ListCreditNotesResponse:
        """Lists credit notes."""
        page, tenant_id = Page.of(request), UUID(request.enterprise_id)
        async with self._read(tenant_id) as snapshot:
            found = await CreditNotes(snapshot, tenant_id).page(page.after(int), page.size + 1)
            rows, token = page.cut(found, key=lambda row: (str(row.number),))
            notes = [await self._note(snapshot, row) for row in rows]
        return pb.ListCreditNotesResponse(credit_notes=notes, next_page_token=token)

    @asynccontextmanager
    async def _read(self, tenant_id: UUID) -> AsyncIterator[Snapshot]:
        """Opens the tenant's rows to who pays for it and to administrators, whose reading is audited."""
        async with reading(self._runtime, tenant_id, "invoices.read") as (snapshot, reader):
            if not reader.whole:
                raise InvoiceNotFound("The invoice does not exist.", field="invoice_id")
            yield snapshot

    async def _done(
        self, request: _Verb, verb: Callable[[Transaction, UUID, UUID], Awaitable[models.Invoice]]
    ) -> pb.Invoice:
        tenant_id = UUID(request.enterprise_id)

        async def work(tx: Transaction) -> pb.Invoice:
            row = await _found(tx, tenant_id, request.invoice_id)
            return await self._whole(tx, await verb(tx, tenant_id, row.id))

        return await once(self._db, Scope.of(tenant_id), request, work)

    async def _whole(self, tx: Snapshot, row: models.Invoice) -> pb.Invoice:
        lines = await Store(tx, row.tenant_id).lines(row.id)
        buyer = await finalizing.buyer_of(tx, self._drafter.keyring, row)
        return convert_invoices.invoice(row, lines, buyer)

    async def _note(self, tx: Snapshot, row: models.CreditNote) -> pb.CreditNote:
        lines = await CreditNotes(tx, row.tenant_id).lines(row.id)
        reason = await invoicing.reason_of(tx, self._drafter.keyring, row)
        return convert_invoices.credit_note(row, lines, reason)


class InvoiceSettings(InvoiceSettingsServiceServicer):
    """Keeps what stands on invoices."""

    def __init__(self, runtime: Runtime[BillingSettings]) -> None:
        self._runtime = runtime

    async def GetInvoiceSettings(
        self, request: settings_pb.GetInvoiceSettingsRequest, context: Context
    ) -> settings_pb.InvoiceSettings:
        """Gets the settings."""
        tenant_id = UUID(request.enterprise_id)
        async with self._runtime.db.snapshot(Scope.of(tenant_id)) as snapshot:
            return await invoice_settings.get(snapshot, self._runtime.keyring, tenant_id)

    async def SetInvoiceSettings(
        self, request: settings_pb.SetInvoiceSettingsRequest, context: Context
    ) -> settings_pb.InvoiceSettings:
        """Sets all of them."""
        tenant_id = UUID(request.enterprise_id)
        return await once(
            self._runtime.db,
            Scope.of(tenant_id),
            request,
            lambda tx: invoice_settings.put(tx, self._runtime.keyring, tenant_id, request.settings),
        )


async def _found(tx: Snapshot, tenant_id: UUID, invoice_id: str) -> models.Invoice:
    row = await Store(tx, tenant_id).get(UUID(invoice_id))
    if row is None:
        raise InvoiceNotFound("The invoice does not exist.", field="invoice_id")
    return row


async def _send_as(context: Any, name: str) -> None:
    await context.send_initial_metadata(
        (
            ("x-http-header-content-disposition", f'attachment; filename="{name}"'),
            ("x-http-header-cache-control", "no-store"),
        )
    )
