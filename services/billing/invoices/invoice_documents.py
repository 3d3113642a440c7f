"""What of an invoice is downloaded: the PDF, and its usage as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable
from datetime import datetime
from decimal import Decimal

from google.protobuf.json_format import MessageToJson

from chassis.database import Database, Scope
from chassis.decimals import text
from chassis.typesetting import TypesettingFailed, typeset
from services.billing.errors import DocumentFailed
from services.billing.models import Invoice
from services.billing.store.billed_detail import DETAIL, FIRST, BilledDetail, Place
from wrtn.billing.v1.invoices_pb2 import Invoice as Wire

_TYPESETTER = "services.billing.invoices.invoice_typesetting"
_PAGE = 1000


async def pdf(invoice: Wire, zone: str, seller: str) -> AsyncIterator[bytes]:
    """Yields the invoice as PDF, its days by a time zone; raises DocumentFailed."""
    wanted = "\n".join((zone, seller, MessageToJson(invoice, indent=None)))
    try:
        async for data in typeset(_TYPESETTER, wanted.encode()):
            yield data
    except TypesettingFailed:
        raise DocumentFailed("The PDF could not be made now: try again.", retry_after=10) from None


async def usage_csv(db: Database, row: Invoice) -> AsyncIterator[bytes]:
    """Yields each usage of an invoice by time, and each entry that corrects one.

    No transaction is open while the reader is slow. What is finalised changes no more, so that the pages fit
    together.
    """
    yield _written([DETAIL])
    after: Place | None = FIRST
    while after is not None:
        async with db.snapshot(Scope.of(row.tenant_id)) as snapshot:
            detail = BilledDetail(snapshot, row.tenant_id)
            rows, after = await detail.page(row.start_time, row.end_time, after, _PAGE)
        yield _written([[_cell(value) for value in each] for each in rows])


def _written(rows: Iterable[Iterable[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return text(value)
    return value.isoformat() if isinstance(value, datetime) else str(value)
