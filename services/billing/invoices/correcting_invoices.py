"""What a correction of prices does to the ledger, the wallet and the invoices of a tenant.

What is not invoiced for good yet is invoiced as corrected. Of an invoice that is finalised, what a team used
of a model goes one way: an increase is a line of the next invoice; a decrease comes back by a credit note on
that invoice, and what was not paid by it, as credits (decision 0140). Where the tokens of a plan covered all
usage of an invoice, they cover its corrections (decision 0145).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from uuid import UUID

from chassis.crypto import Keyring
from chassis.database import Transaction
from services.billing.invoices.invoicing import CreditLine, credit_note
from services.billing.ledger.chart import INCLUDED, RECEIVABLE, ROUNDING, USAGE_REVENUE, PostingKind
from services.billing.ledger.ledger import Line, post
from services.billing.ledger.money import rounded
from services.billing.models import Closing, Correction, Invoice
from services.billing.spending.admission import ZERO
from services.billing.store.billed import Billed, lock_closing
from services.billing.store.invoices import CreditNotes, Invoices
from services.billing.store.late_corrections import Decrease, LateCorrections
from services.billing.store.ledger import Ledgers
from services.billing.store.wallets import NEVER, WalletRead
from services.billing.wallets import wallets
from wrtn.billing.v1.invoices_pb2 import InvoiceLine

_REASON = "Correction of a price"
_BACK = "credits-back:{}:"
"""How references begin of what comes back as credits of one invoice."""


@dataclass(frozen=True, slots=True)
class CorrectedTenant:
    """One tenant's part of a correction, whose entries are made in the same transaction."""

    tx: Transaction
    keyring: Keyring
    tenant_id: UUID
    correction: Correction
    currency: str

    async def book(self, whole: Decimal) -> None:
        """Posts the whole difference of the charges, and brings it to the invoices."""
        late = LateCorrections(self.tx, self.tenant_id, self.correction.id)
        closing = await self._lock()
        lines = [Line(RECEIVABLE, whole), Line(USAGE_REVENUE, -whole)]
        await self._post(PostingKind.CORRECTION, lines, f"correction:{self.correction.id}")
        await late.put_aside(closing.end_time)
        await self._even_out(INCLUDED, -await late.covered(), f"correction-covered:{self.correction.id}")
        for invoice_id, found in groupby(await late.decreases(), lambda each: each.invoice_id):
            await self._credit(late, invoice_id, list(found))
        in_time, increase = await late.sums()
        await self._burn(max(in_time, ZERO) + increase)
        await self._give_back(closing, -in_time)

    async def _lock(self) -> Closing:
        """Locks in the order of all: invoices, the ledger, what is closed. None is finalised meanwhile."""
        await Invoices(self.tx, self.tenant_id).lock_after(self.correction.start_time)
        await Ledgers(self.tx, self.tenant_id).lock(self.currency)
        return await lock_closing(self.tx, self.tenant_id)

    async def _credit(self, late: LateCorrections, invoice_id: UUID, found: Iterable[Decrease]) -> None:
        """Credits what is left of a finalised invoice.

        The rest was paid with credits or by a later invoice, and comes back as credits; or was credited
        before, and nobody gets it twice.
        """
        queries = Invoices(self.tx, self.tenant_id)
        invoice, lines = await queries.get(invoice_id), await queries.lines(invoice_id)
        assert invoice is not None  # noqa: S101 - for the type checker: invoices are never removed
        centres = {(line.team_id, line.model): line.cost_centre for line in lines}
        credited, _ = await CreditNotes(self.tx, self.tenant_id).of_invoice(invoice_id)
        noted, rest = _within(invoice, found, centres, invoice.subtotal - credited)
        if any(rounded(line.exact_amount, self.currency) for line in noted):
            await credit_note(self.tx, self.keyring, self.tenant_id, invoice_id, noted, _REASON)
        else:
            small = sum((line.exact_amount for line in noted), ZERO)
            await self._even_out(ROUNDING, small, f"correction-rounding:{self.correction.id}:{invoice_id}")
        burnt = -sum((line.exact_amount for line in lines if line.kind == InvoiceLine.KIND_CREDITS), ZERO)
        elsewhere = burnt + await late.increased(invoice_id) - await late.given_back(_BACK.format(invoice_id))
        back = max(min(rest, elsewhere), ZERO)
        await self._compensate(back, _BACK.format(invoice_id) + str(self.correction.id))
        before = f"credited-before:{self.correction.id}:{invoice_id}"
        await self._even_out(USAGE_REVENUE, rest - back, before)

    async def _compensate(self, amount: Decimal, reference: str) -> None:
        """Gives an amount as credits: those that burnt return, as far as their lots last, others come new."""
        if amount <= 0:
            return
        whose = (self.tx, self.tenant_id)
        left = amount - await wallets.give_back(*whose, amount, self.currency, reference=reference)
        if left > 0:
            await wallets.compensate(*whose, left, self.currency, reference=f"{reference}:new")

    async def _burn(self, increase: Decimal) -> None:
        """Pays an increase with credits, as usage is paid."""
        if increase <= 0 or await WalletRead(self.tx, self.tenant_id).get() is None:
            return
        reference = f"correction-burn:{self.correction.id}"
        await wallets.burn(self.tx, self.tenant_id, increase, self.currency, reference=reference)

    async def _give_back(self, closing: Closing, decrease: Decimal) -> None:
        """Gives credits back that burnt for what is not charged any more, and that no invoice shows yet."""
        if decrease <= 0:
            return
        billed = Billed(self.tx, self.tenant_id)
        start = await Invoices(self.tx, self.tenant_id).first_open(closing.end_time)
        used = sum((each.charge for each in await billed.sums(start, NEVER)), ZERO)
        used += sum((each.charge for each in await billed.increases(start, NEVER)), ZERO)
        burnt = closing.credits + await billed.burnt(closing.sequence)
        back = min(decrease, burnt - used)
        if back > 0:
            # What their lots cannot take, since they expired meanwhile, is for the next invoice.
            reference = f"correction-back:{self.correction.id}"
            whose = (self.tx, self.tenant_id)
            closing.credits -= await wallets.give_back(*whose, back, self.currency, reference=reference)

    async def _even_out(self, ledger_account: str, amount: Decimal, reference: str) -> None:
        """Takes back from what is owed less what nobody gets."""
        lines = [Line(RECEIVABLE, amount), Line(ledger_account, -amount)]
        await self._post(PostingKind.CREDIT_NOTE, lines, reference)

    async def _post(self, kind: PostingKind, lines: Iterable[Line], reference: str) -> None:
        await post(self.tx, self.tenant_id, self.currency, kind, lines, reference)


def _within(
    invoice: Invoice,
    found: Iterable[Decrease],
    centres: dict[tuple[UUID | None, str], str],
    left: Decimal,
) -> tuple[list[CreditLine], Decimal]:
    """Answers what of the decreases can be credited of what is left of the invoice, and the rest."""
    lines, rest = [], ZERO
    left = max(left, ZERO)
    for each in found:
        amount = rounded(each.charge, invoice.currency)
        taken = each.charge if amount <= left else left
        left -= min(amount, left)
        rest += each.charge - taken
        centre = centres.get((each.team_id, each.model), "")
        lines.append(CreditLine(taken, _REASON, each.team_id, each.model, centre, posted=True))
    return lines, rest
