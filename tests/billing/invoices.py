"""What tests do with invoices: administrators act on them, payers look at them."""

from __future__ import annotations

import base64
import csv
import io
import re
import zlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tests.billing.buyers import Buyer
from wrtn.billing.v1 import invoice_settings_pb2
from wrtn.billing.v1 import invoices_pb2 as pb
from wrtn.billing.v1.invoices_pb2 import CreditNote, Invoice, InvoiceLine


def utc(*parts: int) -> datetime:
    """A time, UTC."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


def amounts(invoice: Invoice, *kinds: InvoiceLine.Kind.ValueType) -> list[str]:
    """The amount of each line; of these kinds, if any is named."""
    return [line.amount for line in invoice.lines if not kinds or line.kind in kinds]


async def act(buyer: Buyer, verb: str, invoice: Invoice, **more: Any) -> Any:
    """Has an administrator do something to an invoice."""
    request = getattr(pb, f"{verb}InvoiceRequest")(enterprise_id=str(buyer.id), invoice_id=invoice.id, **more)
    return await getattr(buyer.invoices, f"{verb}Invoice")(request, metadata=buyer.administrator.metadata)


async def preview(buyer: Buyer) -> Invoice:
    """The invoice of the running period, as it would be now."""
    request = pb.PreviewInvoiceRequest(enterprise_id=str(buyer.id))
    return await buyer.invoices.PreviewInvoice(request, metadata=buyer.owner.metadata)


async def notes(buyer: Buyer) -> Sequence[CreditNote]:
    """All credit notes, the oldest first."""
    request = pb.ListCreditNotesRequest(enterprise_id=str(buyer.id))
    listed = await buyer.invoices.ListCreditNotes(request, metadata=buyer.owner.metadata)
    return listed.credit_notes[::-1]


async def usage_of(buyer: Buyer, invoice: Invoice) -> list[dict[str, str]]:
    """The rows of the CSV of an invoice."""
    request = pb.DownloadInvoiceUsageRequest(enterprise_id=str(buyer.id), invoice_id=invoice.id)
    call = buyer.invoices.DownloadInvoiceUsage(request, metadata=buyer.owner.metadata)
    text = b"".join([each.data async for each in call]).decode()
    return list(csv.DictReader(io.StringIO(text)))


async def printed(buyer: Buyer, invoice: Invoice) -> str:
    """What the PDF of an invoice shows, as far as it is ASCII; a line a text."""
    request = pb.DownloadInvoiceRequest(enterprise_id=str(buyer.id), invoice_id=invoice.id)
    call = buyer.invoices.DownloadInvoice(request, metadata=buyer.owner.metadata)
    pdf = b"".join([each.data async for each in call])
    pages = re.findall(rb"/ASCII85Decode /FlateDecode[^>]*>>\s*stream\r?\n(.*?)~>", pdf, re.DOTALL)
    drawn = b"\n".join(zlib.decompress(base64.a85decode(each)) for each in pages)
    return "\n".join(text.decode("latin-1") for text in re.findall(rb"\((.*?)\) Tj", drawn))


async def bill_to(
    buyer: Buyer, name: str, country: str, *, team: UUID | None = None, etag: str = "", **more: Any
) -> str:
    """Sets who is billed, and cost centre CC-7 for a team; answers the etag."""
    wanted = invoice_settings_pb2.InvoiceSettings(legal_name=name, country=country, etag=etag, **more)
    if team is not None:
        wanted.cost_centres.add(team_id=str(team), code="CC-7")
    request = invoice_settings_pb2.SetInvoiceSettingsRequest(enterprise_id=str(buyer.id), settings=wanted)
    return (await buyer.settings.SetInvoiceSettings(request, metadata=buyer.owner.metadata)).etag
