"""Refusals about invoices and credit notes."""

from __future__ import annotations

from chassis.errors import FailedPrecondition, NotFound


class InvoiceNotDraft(FailedPrecondition):
    """The invoice is finalised, its time is not over, or an earlier one is to be finalised first."""

    reason = "INVOICE_NOT_DRAFT"


class InvoicePaidInPart(FailedPrecondition):
    """Something of the invoice is paid or credited."""

    reason = "INVOICE_PAID_IN_PART"


class InvoiceNotFound(NotFound):
    """The tenant has no such invoice."""

    reason = "INVOICE_NOT_FOUND"


class InvoiceNotOpen(FailedPrecondition):
    """The invoice is a draft, paid, withdrawn or given up."""

    reason = "INVOICE_NOT_OPEN"


class InvoiceOverpaid(FailedPrecondition):
    """A payment or credit is above what is due of the invoice."""

    reason = "INVOICE_OVERPAID"
