"""The credits that a payment bought, when money of it goes back: they go first, then what an invoice took.

Credits of it that were refunded already, as a lot of the wallet, are not taken again.
"""

from __future__ import annotations

from decimal import Decimal

from chassis.database import Transaction
from services.billing.ledger.chart import RECEIVABLE, REFUNDS, WALLET, PostingKind
from services.billing.ledger.ledger import Line, post
from services.billing.models import Payment, Refund, WalletLot
from services.billing.store.wallets import WalletRead
from services.billing.wallets import debts, purchases, wallets


async def take(tx: Transaction, paid: Payment, row: Refund) -> None:
    """Takes the credits of a refund that begins; raises RefundAboveLeft if they are spent or held."""
    lot, wanted = await _wanted(tx, paid, row)
    if lot is not None and wanted > 0:
        reference = f"refund-credits:{row.id}"
        await wallets.refund(tx, paid.tenant_id, lot.id, wanted, paid.currency, reference=reference)
        row.credits = wanted


async def take_what_is_left(tx: Transaction, paid: Payment, row: Refund) -> None:
    """Takes the credits of a refund that began at the provider. What is spent of them is owed."""
    lot, wanted = await _wanted(tx, paid, row)
    if lot is None or wanted <= 0:
        return
    whose, purchase = (tx, paid.tenant_id), purchases.reference_of(paid.id)
    row.credits = await wallets.take_back(*whose, wanted, paid.currency, purchase=purchase)
    row.debt = wanted - row.credits
    lines = [Line(WALLET, row.credits), Line(RECEIVABLE, row.debt), Line(REFUNDS, -wanted)]
    await post(*whose, paid.currency, PostingKind.REFUND, lines, f"refund-credits:{row.id}")
    if row.debt:
        await debts.owe(*whose, row.debt, paid.currency, reference=_debt_of(row))


async def put_back(tx: Transaction, paid: Payment, row: Refund) -> None:
    """Puts back what was taken for a refund that failed, and forgets what was owed for it."""
    lot = await WalletRead(tx, paid.tenant_id).lot_bought(purchases.reference_of(paid.id))
    whose = (tx, paid.tenant_id)
    if lot is not None and row.credits:
        back = f"refund-credits-back:{row.id}"
        await wallets.undo_refund(*whose, lot.id, row.credits, paid.currency, reference=back)
    if row.debt:
        lines = [Line(REFUNDS, row.debt), Line(RECEIVABLE, -row.debt)]
        await post(*whose, paid.currency, PostingKind.REFUND, lines, f"refund-owed-back:{row.id}")
        await debts.forgive(*whose, row.debt, paid.currency, reference=_debt_of(row))
    row.credits = row.debt = Decimal(0)


def _debt_of(row: Refund) -> str:
    return f"refund-debt:{row.id}"


async def _wanted(tx: Transaction, paid: Payment, row: Refund) -> tuple[WalletLot | None, Decimal]:
    """Answers the lot that the locked payment bought, and how much of it goes with this refund."""
    lot = await WalletRead(tx, paid.tenant_id).lot_bought(purchases.reference_of(paid.id))
    if lot is None:
        return None, Decimal(0)
    return lot, min(row.amount, min(paid.refunded_amount, lot.amount) - lot.refunded)
