"""Sets an invoice as PDF: `python -m services.billing.invoices.invoice_typesetting`.

In come the time zone, the seller (lines divided by "|") and the wrtn.billing.v1.Invoice as JSON, a line each;
out comes the PDF.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable
from datetime import UTC, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from google.protobuf.json_format import Parse
from google.protobuf.timestamp_pb2 import Timestamp
from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from chassis.typesetting.fonts import LATIN, paragraph, register
from wrtn.billing.v1.invoices_pb2 import Invoice, InvoiceLine

_GREY, _RULE, _INK = HexColor("#6b7280"), HexColor("#d1d5db"), HexColor("#111827")
_TITLE = ParagraphStyle("title", fontName=LATIN, fontSize=20, leading=26, textColor=_INK)
_TEXT = ParagraphStyle("text", fontName=LATIN, fontSize=8.5, leading=12.5, textColor=_INK)
_RIGHT = ParagraphStyle("right", parent=_TEXT, alignment=TA_RIGHT)
_LABEL = ParagraphStyle("label", parent=_TEXT, fontSize=7.5, textColor=_GREY)
_LABEL_RIGHT = ParagraphStyle("label-right", parent=_LABEL, alignment=TA_RIGHT)
_SUM = ParagraphStyle("sum", parent=_RIGHT, fontSize=11, leading=16)
_WIDTH = 174 * mm
_MARGIN = 18 * mm
_TEAM_DIGITS = 8

_KINDS = {
    InvoiceLine.KIND_PLAN_FEE: "Plan",
    InvoiceLine.KIND_SEATS: "Further seats",
    InvoiceLine.KIND_PRORATION: "For a part of the time",
    InvoiceLine.KIND_INCLUDED: "Tokens included",
    InvoiceLine.KIND_DISCOUNT: "Discount",
    InvoiceLine.KIND_CREDITS: "Paid with credits",
    InvoiceLine.KIND_CORRECTION: "Correction",
}
_STATES = {
    Invoice.STATE_DRAFT: "Draft",
    Invoice.STATE_OPEN: "To be paid",
    Invoice.STATE_PAID: "Paid",
    Invoice.STATE_VOID: "Withdrawn",
    Invoice.STATE_UNCOLLECTIBLE: "Given up",
}


def main() -> None:
    """Reads the invoice from standard input and writes the PDF to standard output."""
    zone, seller, invoice = sys.stdin.buffer.read().decode().split("\n", 2)
    register()
    sys.stdout.buffer.write(document(Parse(invoice, Invoice()), ZoneInfo(zone), seller.split("|")))


def document(invoice: Invoice, zone: ZoneInfo, seller: Iterable[str]) -> bytes:
    """Answers the PDF of an invoice."""
    out = io.BytesIO()
    title = f"Invoice {invoice.number}" if invoice.number else "Draft of an invoice"
    story: list[Flowable] = [
        _side_by_side(paragraph(title, _TITLE), [paragraph(each, _RIGHT) for each in seller]),
        Spacer(1, 8 * mm),
        _side_by_side(_buyer(invoice), _facts(invoice, zone)),
        Spacer(1, 8 * mm),
        _lines(invoice),
        Spacer(1, 3 * mm),
        _sums(invoice),
        *([Spacer(1, 5 * mm), paragraph(invoice.tax_note, _TEXT)] if invoice.tax_note else []),
    ]
    pages = SimpleDocTemplate(
        out,
        pagesize=A4,
        title=title,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN,
        bottomMargin=_MARGIN,
    )
    pages.build(story, onFirstPage=_foot(title), onLaterPages=_foot(title))
    return out.getvalue()


def _foot(title: str) -> object:
    def draw(canvas: Canvas, _: object) -> None:
        canvas.setFont(LATIN, 7)
        canvas.setFillColor(_GREY)
        canvas.drawString(_MARGIN, 10 * mm, title)
        canvas.drawRightString(A4[0] - _MARGIN, 10 * mm, f"Page {canvas.getPageNumber()}")

    return draw


def _side_by_side(left: object, right: object) -> Table:
    style = TableStyle(
        [
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("RIGHTPADDING", (0, 0), (-1, -1), 0),
        ]
    )
    return Table([[left, right]], colWidths=[_WIDTH / 2, _WIDTH / 2], style=style)


def _buyer(invoice: Invoice) -> list[Paragraph]:
    buyer = invoice.buyer
    named = [buyer.legal_name, *buyer.address_lines, buyer.country]
    told = [f"Tax id: {buyer.tax_id}" if buyer.tax_id else ""]
    told += [f"Purchase order: {buyer.purchase_order}" if buyer.purchase_order else ""]
    lines = [each for each in (*named, *told) if each] or [f"Enterprise {invoice.enterprise_id}"]
    return [paragraph("Billed to", _LABEL), *(paragraph(each, _TEXT) for each in lines)]


def _facts(invoice: Invoice, zone: ZoneInfo) -> Table:
    last = invoice.end_time.ToDatetime(UTC) - timedelta(microseconds=1)
    facts = [("For", f"{_day(invoice.start_time, zone)} to {last.astimezone(zone).date()}")]
    if invoice.HasField("finalize_time"):
        facts.append(("Date", _day(invoice.finalize_time, zone)))
        facts.append(("To be paid until", _day(invoice.due_time, zone)))
    facts += [("Currency", invoice.currency), ("State", _STATES[invoice.state])]
    rows = [[paragraph(label, _LABEL_RIGHT), paragraph(value, _RIGHT)] for label, value in facts]
    style = TableStyle(
        [
            ("TOPPADDING", (0, 0), (-1, -1), 0),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
            ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
        ]
    )
    return Table(rows, colWidths=[_WIDTH / 2 - 52 * mm, 52 * mm], style=style)


def _day(moment: Timestamp, zone: ZoneInfo) -> str:
    return str(moment.ToDatetime(UTC).astimezone(zone).date())


def _lines(invoice: Invoice) -> Table:
    heads = [
        paragraph("Description", _LABEL),
        paragraph("Cost centre", _LABEL),
        paragraph("Quantity", _LABEL_RIGHT),
        paragraph("Amount", _LABEL_RIGHT),
    ]
    rows = [heads, *([*_cells(line)] for line in invoice.lines)]
    style = TableStyle(
        [
            ("LINEBELOW", (0, 0), (-1, 0), 0.8, _INK),
            ("LINEBELOW", (0, 1), (-1, -1), 0.3, _RULE),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("LEFTPADDING", (0, 0), (0, -1), 0),
            ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
        ]
    )
    widths = [_WIDTH - 92 * mm, 34 * mm, 24 * mm, 34 * mm]
    return Table(rows, colWidths=widths, style=style, repeatRows=1)


def _cells(line: InvoiceLine) -> Iterable[Paragraph]:
    yield paragraph(_described(line), _TEXT)
    yield paragraph(line.cost_centre, _TEXT)
    yield paragraph(f"{line.quantity:,}" if line.quantity != 1 else "", _RIGHT)
    yield paragraph(_money(line.amount), _RIGHT)


def _described(line: InvoiceLine) -> str:
    if line.kind == InvoiceLine.KIND_USAGE:
        return f"{line.model}, {_team(line)}"
    told = ": ".join(filter(None, (_KINDS[line.kind], line.description)))
    return f"{told}, {line.model}, {_team(line)}" if line.model else told


def _team(line: InvoiceLine) -> str:
    # The last digits of an id differ most.
    unnamed = f"team ..{line.team_id[-_TEAM_DIGITS:]}" if line.team_id else "no team"
    return line.team_name or unnamed


def _sums(invoice: Invoice) -> Table:
    rows = [("Subtotal", invoice.subtotal, _RIGHT)]
    if Decimal(invoice.tax_rate):
        rows.append((f"Tax {Decimal(invoice.tax_rate).normalize():f} %", invoice.tax, _RIGHT))
    rows.append(("Total", invoice.total, _RIGHT))
    for label, amount in (("Paid", invoice.paid), ("Credited", invoice.credited)):
        if Decimal(amount):
            rows.append((label, f"-{amount}", _RIGHT))
    rows.append((f"Due {invoice.currency}", invoice.due, _SUM))
    cells = [["", paragraph(label, style), paragraph(_money(amount), style)] for label, amount, style in rows]
    style = TableStyle(
        [
            ("LINEABOVE", (1, -1), (-1, -1), 0.8, _INK),
            ("RIGHTPADDING", (-1, 0), (-1, -1), 0),
            ("TOPPADDING", (0, 0), (-1, -1), 1),
        ]
    )
    return Table(cells, colWidths=[_WIDTH - 84 * mm, 50 * mm, 34 * mm], style=style)


def _money(amount: str) -> str:
    return f"{Decimal(amount):,}"


if __name__ == "__main__":
    main()
