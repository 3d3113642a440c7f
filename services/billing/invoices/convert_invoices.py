"""Invoices and credit notes to protos."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp

from chassis import timestamps
from services.billing import models
from services.billing.invoices.drafting import Drawn, Line
from services.billing.invoices.numbers import numbered
from services.billing.invoices.taxes import REVERSE_CHARGE
from services.billing.periods import Span
from wrtn.billing.v1 import invoices_pb2 as pb
from wrtn.billing.v1.invoice_settings_pb2 import InvoiceSettings


def invoice(
    row: models.Invoice,
    lines: Iterable[models.InvoiceLine] = (),
    buyer: InvoiceSettings | None = None,
) -> pb.Invoice:
    """Builds an invoice, with its lines and buyer if they are given."""
    return pb.Invoice(
        id=str(row.id),
        enterprise_id=str(row.tenant_id),
        state=row.state,  # type: ignore[arg-type]
        number=numbered("INV", row.number),
        currency=row.currency,
        start_time=timestamps.of(row.start_time),
        end_time=timestamps.of(row.end_time),
        lines=map(_line, lines),
        subtotal=_amount(row.subtotal),
        tax_rate=_amount(row.tax_rate),
        tax=_amount(row.tax),
        total=_amount(row.total),
        paid=_amount(row.paid),
        credited=_amount(row.credited),
        due=_amount(row.due),
        finalize_time=_moment(row.finalize_time),
        due_time=_moment(row.due_time),
        pay_time=_moment(row.pay_time),
        close_time=_moment(row.close_time),
        etag=str(row.version),
        create_time=timestamps.of(row.create_time),
        buyer=buyer,
        tax_note=_tax_note(reverse_charge=row.reverse_charge),
    )


def preview(tenant_id: UUID, period: Span, drawn: Drawn) -> pb.Invoice:
    """Builds what the invoice of a running period would say."""
    total = drawn.subtotal + drawn.tax
    return pb.Invoice(
        enterprise_id=str(tenant_id),
        state=pb.Invoice.STATE_DRAFT,
        currency=drawn.currency,
        start_time=timestamps.of(period.start),
        end_time=_moment(period.end),
        lines=map(_line, drawn.lines),
        subtotal=_amount(drawn.subtotal),
        tax_rate=_amount(drawn.taxed.rate),
        tax=_amount(drawn.tax),
        total=_amount(total),
        paid="0",
        credited="0",
        due=_amount(max(total, Decimal(0))),
        buyer=drawn.buyer,
        tax_note=_tax_note(reverse_charge=drawn.taxed.reverse_charge),
    )


def credit_note(row: models.CreditNote, lines: Iterable[models.CreditNoteLine], reason: str) -> pb.CreditNote:
    """Builds a credit note."""
    return pb.CreditNote(
        id=str(row.id),
        enterprise_id=str(row.tenant_id),
        number=numbered("CN", row.number),
        invoice_id=str(row.invoice_id or ""),
        currency=row.currency,
        lines=map(_line, lines),
        subtotal=_amount(row.subtotal),
        tax=_amount(row.tax),
        total=_amount(row.total),
        reason=reason,
        create_time=timestamps.of(row.create_time),
    )


def _line(line: models.InvoiceLine | models.CreditNoteLine | Line) -> pb.InvoiceLine:
    built = pb.InvoiceLine(
        kind=line.kind,  # type: ignore[arg-type]
        description=line.description,
        team_id=str(line.team_id or ""),
        model=line.model,
        cost_centre=line.cost_centre,
        quantity=line.quantity,
        exact_amount=_amount(line.exact_amount),
        amount=_amount(line.amount),
    )
    if not isinstance(line, models.CreditNoteLine):
        built.corrected_invoice_id = str(line.corrected_invoice_id or "")
        built.team_name = line.team_name
    return built


def _tax_note(*, reverse_charge: bool) -> str:
    return REVERSE_CHARGE if reverse_charge else ""


def _amount(value: Decimal) -> str:
    """As it is kept: with the digits of the currency where it is rounded."""
    return format(value, "f")


def _moment(value: datetime | None) -> Timestamp | None:
    return timestamps.of(value) if value is not None else None
