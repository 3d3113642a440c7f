"""Disputes: who paid by card contests it at their bank, which takes the money back until that is decided.

While it is contested nothing is asked of who paid. Won, all is as before; lost, what was paid is owed again.
What Stripe tells of is asked of it, and each state takes effect once, behind the lock of the payment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from chassis.database import Database, Scope, Transaction
from chassis.decimals import text
from services.billing import events, letters
from services.billing.errors import ProviderUnreachable
from services.billing.invoices import invoicing
from services.billing.ledger import chart
from services.billing.ledger.chart import PostingKind
from services.billing.ledger.ledger import Line, post
from services.billing.models import Dispute, Payment
from services.billing.payments import booking, dunning, payments
from services.billing.payments.providers import Contest
from services.billing.payments.schedule import Schedule
from services.billing.payments.stripe.cards import Cards
from services.billing.store.payment_methods import PaymentMethods
from services.billing.store.payments import Disputes
from services.billing.wallets import debts, purchases, wallets
from wrtn.billing.v1.invoices_pb2 import Invoice as WireInvoice
from wrtn.billing.v1.payments_pb2 import Payment as Wire

_CONTESTABLE = frozenset({Wire.STATE_SUCCEEDED, Wire.STATE_DISPUTED, Wire.STATE_LOST})
_WORDS: dict[int, str] = {
    Wire.STATE_DISPUTED: "contested",
    Wire.STATE_SUCCEEDED: "won",
    Wire.STATE_LOST: "lost",
}
"""The states as the template of mails names them."""


@dataclass(frozen=True, slots=True)
class Disputing:
    """Asks the card provider how disputes stand."""

    database: Database
    cards: Cards
    schedule: Schedule
    """By which an invoice is dunned for that is owed again."""

    async def advance(self, dispute_id: str) -> None:
        """Notes how a dispute stands; one of another system's payment is left alone.

        Raises PaymentNotFound, and ProviderSilent and ProviderUnreachable to be told of it again.
        """
        contest = await self.cards.dispute(dispute_id)
        if contest is None:
            return
        async with self.database.transaction(Scope.of(contest.tenant_id)) as tx:
            paid = await payments.found(tx, contest.tenant_id, contest.payment_id, lock=True)
            if paid.state not in _CONTESTABLE:
                raise ProviderUnreachable("The payment is not booked yet: send it again.")
            await settle(tx, paid, contest, self.schedule)


async def settle(tx: Transaction, paid: Payment, contest: Contest, schedule: Schedule) -> None:
    """Notes how a dispute of a locked payment stands; what is noted or decided changes nothing."""
    row = await Disputes(tx, paid.tenant_id).get(contest.dispute_id)
    if row is None:
        row = await _begin(tx, paid, contest)
    if row.state != Wire.STATE_DISPUTED or contest.state == Wire.STATE_DISPUTED:
        return
    lost = contest.state == Wire.STATE_LOST
    lines = await _lost(tx, paid, row, schedule) if lost else [_cash(paid, row.amount)]
    await _post(tx, paid, row, [*lines, Line(chart.DISPUTES, -row.amount)], "decided")
    await _turn(tx, paid, row, contest.state)


async def _begin(tx: Transaction, paid: Payment, contest: Contest) -> Dispute:
    """Notes that the provider has taken the money back."""
    row = Dispute(
        tenant_id=paid.tenant_id,
        provider_dispute_id=contest.dispute_id,
        payment_id=paid.id,
        state=Wire.STATE_DISPUTED,
        amount=min(contest.amount, paid.amount),
        create_time=tx.now,
        update_time=tx.now,
    )
    tx.session.add(row)
    await _post(tx, paid, row, [Line(chart.DISPUTES, row.amount), _cash(paid, -row.amount)], "begun")
    await _turn(tx, paid, row, Wire.STATE_DISPUTED)
    return row


async def _lost(tx: Transaction, paid: Payment, row: Dispute, schedule: Schedule) -> Sequence[Line]:
    """Takes back what the money had paid; answers what is owed instead."""
    of_invoice = min(row.amount, paid.applied_amount)
    lines = [Line(await _reopened(tx, paid, of_invoice, schedule), of_invoice)] if of_invoice else []
    of_credits = row.amount - of_invoice
    if of_credits:
        purchase = purchases.reference_of(paid.id)
        taken = await wallets.take_back(tx, paid.tenant_id, of_credits, paid.currency, purchase=purchase)
        debt = of_credits - taken
        lines += [Line(chart.WALLET, taken), Line(chart.RECEIVABLE, debt)]
        if debt:
            reference = f"dispute-debt:{row.provider_dispute_id}"
            await debts.owe(tx, paid.tenant_id, debt, paid.currency, reference=reference)
    if paid.payment_method_id is not None:
        # Else dunning would charge the same card again by itself.
        await PaymentMethods(tx, paid.tenant_id).take_default_from(paid.payment_method_id)
    return lines


async def _reopened(tx: Transaction, paid: Payment, amount: Decimal, schedule: Schedule) -> str:
    """Has the invoice be owed again, and dunned for from now on; answers the account of what is owed."""
    paid.applied_amount -= amount
    invoice = await invoicing.reopen(tx, paid, amount)
    if invoice.state != WireInvoice.STATE_OPEN:
        return chart.BAD_DEBT
    await dunning.restart(tx, invoice, schedule)
    return chart.RECEIVABLE


async def _turn(tx: Transaction, paid: Payment, row: Dispute, state: int) -> None:
    """Has payment and dispute be in this state, and tells the enterprise, its payers and the staff."""
    row.state, row.update_time = state, tx.now
    paid.state, paid.update_time, paid.version = state, tx.now, paid.version + 1
    tx.audit("payment.disputed", tenant_id=paid.tenant_id, target_id=paid.id, state=state)
    events.payment_changed(tx, paid)
    events.payment_disputed(tx, paid, row)
    fills = {"outcome": _WORDS[state], "amount": f"{text(row.amount)} {paid.currency}"}
    await letters.write_to_payers(tx, paid.tenant_id, "payment_disputed", fills)


async def _post(tx: Transaction, paid: Payment, row: Dispute, lines: Sequence[Line], step: str) -> None:
    reference = f"dispute-{step}:{row.provider_dispute_id}"
    await post(tx, paid.tenant_id, paid.currency, PostingKind.DISPUTE, lines, reference)


def _cash(paid: Payment, amount: Decimal) -> Line:
    return Line(chart.cash(booking.NAMES[paid.provider]), amount)
