"""Credits that come into wallets and go out of them, each with its posting, in the caller's transaction.

The tenant's ledger is locked first, always, so that balance, lots and entries change together.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from chassis.currencies import CURRENCIES
from chassis.database import Snapshot, Transaction
from services.billing import events
from services.billing.errors import (
    AmountInvalid,
    CurrencyMismatch,
    CurrencyUnknown,
    EtagMismatch,
    RefundAboveLeft,
    RefundAbovePaid,
    TimeRangeInvalid,
    TopUpInvalid,
    WalletLotNotFound,
    WalletNotFound,
)
from services.billing.ledger import chart
from services.billing.ledger.chart import PostingKind
from services.billing.ledger.ledger import Line, post
from services.billing.ledger.money import rounded
from services.billing.models import LotKind, Wallet, WalletLot
from services.billing.spending.admission import ZERO
from services.billing.store.wallets import NewLot, WalletRead, Wallets

BONUS_PRIORITY = 50
PURCHASE_PRIORITY = 100
"""What was given burns before what was bought: only the latter can be refunded."""


async def purchase(
    tx: Transaction, tenant_id: UUID, amount: Decimal, currency: str, *, source: str, reference: str
) -> WalletLot:
    """Credits what was paid for; `source` is the account of the chart that the payment debits.

    Once for each reference. Raises AmountInvalid, CurrencyUnknown, CurrencyMismatch and PostingConflict.
    """
    lot = NewLot(LotKind.PURCHASE, amount, PURCHASE_PRIORITY, None)
    return await _credit(tx, tenant_id, currency, lot, PostingKind.PURCHASE, source, reference)


async def bonus(
    tx: Transaction, tenant_id: UUID, amount: Decimal, currency: str, *, reference: str
) -> WalletLot:
    """Gives credits for good; raises as `purchase`."""
    lot = NewLot(LotKind.BONUS, amount, BONUS_PRIORITY, None)
    return await _credit(tx, tenant_id, currency, lot, PostingKind.BONUS, chart.BONUS_EXPENSE, reference)


async def grant(
    tx: Transaction,
    tenant_id: UUID,
    amount: Decimal,
    currency: str,
    *,
    priority: int,
    expire_time: datetime,
    reference: str,
) -> WalletLot:
    """Gives credits until a moment; raises as `purchase`, and TimeRangeInvalid for one that is past."""
    if expire_time <= tx.now:
        raise TimeRangeInvalid("The credits must expire later than now.", field="expire_time")
    lot = NewLot(LotKind.GRANT, amount, priority, expire_time)
    return await _credit(tx, tenant_id, currency, lot, PostingKind.GRANT, chart.BONUS_EXPENSE, reference)


async def burn(
    tx: Transaction, tenant_id: UUID, amount: Decimal, currency: str, *, reference: str
) -> Decimal:
    """Pays what is owed with credits, as far as they go; answers how much they paid.

    Once for each reference. Raises AmountInvalid, CurrencyUnknown and CurrencyMismatch.
    """
    wallets = await _open(tx, tenant_id, amount, currency)
    before = await wallets.burnt(reference)
    if before is not None:
        return before
    covered = await wallets.burn(amount)
    lines = [Line(chart.WALLET, covered), Line(chart.RECEIVABLE, -covered)]
    await post(tx, tenant_id, currency, PostingKind.BURN, lines, reference)
    return covered


async def give_back(
    tx: Transaction, tenant_id: UUID, amount: Decimal, currency: str, *, reference: str
) -> Decimal:
    """Returns credits that burnt, as far as their lots still last; answers how many. Raises as `burn`.

    To be called once for each reference.
    """
    wallets = await _open(tx, tenant_id, amount, currency)
    returned = await wallets.unburn(amount)
    lines = [Line(chart.RECEIVABLE, returned), Line(chart.WALLET, -returned)]
    await post(tx, tenant_id, currency, PostingKind.RETURN, lines, reference)
    return returned


async def compensate(
    tx: Transaction, tenant_id: UUID, amount: Decimal, currency: str, *, reference: str
) -> WalletLot:
    """Gives credits, for good, instead of what was paid too much otherwise; raises as `purchase`."""
    lot = NewLot(LotKind.BONUS, amount, BONUS_PRIORITY, None)
    return await _credit(tx, tenant_id, currency, lot, PostingKind.RETURN, chart.RECEIVABLE, reference)


async def fine(tx: Transaction, tenant_id: UUID, amount: Decimal, currency: str, *, reference: str) -> None:
    """Fines the tenant: credits are taken, and what they do not cover is owed; raises as `burn`."""
    wallets = await _open(tx, tenant_id, amount, currency)
    covered = await wallets.burn(amount)
    lines = [
        Line(chart.WALLET, covered),
        Line(chart.RECEIVABLE, amount - covered),
        Line(chart.FINES, -amount),
    ]
    await post(tx, tenant_id, currency, PostingKind.FINE, lines, reference)


async def refund(
    tx: Transaction, tenant_id: UUID, lot_id: UUID, amount: Decimal, currency: str, *, reference: str
) -> WalletLot:
    """Takes bought credits back that are neither spent nor held; their price is then to be paid back.

    Raises WalletLotNotFound, RefundAbovePaid, RefundAboveLeft, and as `burn`.
    """
    wallets = await _open(tx, tenant_id, amount, currency)
    lot = await wallets.lot(lot_id)
    if lot is None:
        raise WalletLotNotFound("The lot does not exist.", field="lot_id")
    if lot.kind != LotKind.PURCHASE or amount > lot.amount - lot.refunded:
        raise RefundAbovePaid("No more can be refunded than was paid for it.", field="amount")
    free = (await wallets.kept()).balance - await wallets.lock_hold()
    if amount > min(lot.remaining, free):
        raise RefundAboveLeft(
            "No more can be refunded than is unspent and not held by calls.", field="amount"
        )
    lines = [Line(chart.WALLET, amount), Line(chart.REFUNDS, -amount)]
    await post(tx, tenant_id, currency, PostingKind.REFUND, lines, reference)
    await wallets.take(lot_id, amount, refunded=amount)
    return await wallets.lot_of(lot.posting_id)


async def undo_refund(
    tx: Transaction, tenant_id: UUID, lot_id: UUID, amount: Decimal, currency: str, *, reference: str
) -> None:
    """Puts credits back that were taken for a refund which failed; raises as `burn`."""
    wallets = await _open(tx, tenant_id, amount, currency)
    lines = [Line(chart.REFUNDS, amount), Line(chart.WALLET, -amount)]
    await post(tx, tenant_id, currency, PostingKind.RETURN, lines, reference)
    await wallets.take(lot_id, -amount, refunded=-amount)


async def take_back(
    tx: Transaction, tenant_id: UUID, amount: Decimal, currency: str, *, purchase: str
) -> Decimal:
    """Takes back bought credits whose price is gone, as far as they are unspent; answers how many.

    Those that calls under way hold go, too: what is held stays held, so that less than nothing is left, and a
    prepaid wallet admits no further call until it is covered again. No admission counts on them meanwhile.
    `purchase` is the reference under which they were bought. Posts nothing: who books the money does.
    """
    wallets = await _open(tx, tenant_id, amount, currency)
    await wallets.lock_hold()
    lot = await wallets.lot_bought(purchase)
    if lot is None:
        return ZERO
    taken = min(amount, lot.remaining)
    await wallets.take(lot.id, taken, refunded=taken)
    return taken


async def expire(tx: Transaction, tenant_id: UUID, now: datetime) -> int:
    """Takes away what is left of lots that are past their time by now; answers how many there were."""
    wallets = Wallets(tx, tenant_id)
    wallet = await wallets.locked()
    if wallet is None:
        return 0
    lots = await wallets.expired(now)
    for lot_id, remaining in lots:
        lines = [Line(chart.WALLET, remaining), Line(chart.BREAKAGE, -remaining)]
        await post(tx, tenant_id, wallet.currency, PostingKind.EXPIRY, lines, f"expiry:{lot_id}")
        await wallets.take(lot_id, remaining)
    return len(lots)


async def set_prepaid(tx: Transaction, tenant_id: UUID, *, prepaid: bool) -> None:
    """Says whether calls are refused that the wallet does not cover; what is held stays held."""
    wallets = Wallets(tx, tenant_id)
    await wallets.open(await currency_of(tx, tenant_id))
    await wallets.set_prepaid(prepaid=prepaid)


async def set_top_up(
    tx: Transaction, tenant_id: UUID, etag: str, changes: Mapping[str, Decimal | None]
) -> Wallet:
    """Says below which balance how much is bought; raises EtagMismatch, TopUpInvalid and WalletNotFound."""
    wallets = Wallets(tx, tenant_id)
    await wallets.open(await currency_of(tx, tenant_id))
    wallet = await wallets.kept()
    if etag and etag != str(wallet.version):
        raise EtagMismatch("The wallet was changed since: read it again.", field="wallet.etag")
    for name, value in changes.items():
        setattr(wallet, name, value)
    threshold, amount = wallet.top_up_threshold, wallet.top_up_amount
    if (threshold is None) != (amount is None):
        raise TopUpInvalid("Say both below which balance and how much, or neither.", field="wallet")
    if amount is not None and not ZERO < amount == rounded(amount, wallet.currency):
        raise TopUpInvalid("The amount must be above zero, in coins of the currency.", field="wallet")
    wallet.version, wallet.update_time = wallet.version + 1, tx.now
    tx.audit("wallet.top_up_changed", tenant_id=tenant_id, target_id=tenant_id)
    return wallet


async def currency_of(tx: Snapshot, tenant_id: UUID) -> str:
    """Answers the currency of a tenant; raises WalletNotFound if no event told of it."""
    currency = await WalletRead(tx, tenant_id).currency()
    if currency is None:
        raise WalletNotFound("The wallet does not exist.", field="wallet_id")
    return currency


async def _credit(
    tx: Transaction,
    tenant_id: UUID,
    currency: str,
    lot: NewLot,
    kind: PostingKind,
    source: str,
    reference: str,
) -> WalletLot:
    wallets = await _open(tx, tenant_id, lot.amount, currency)
    lines = [Line(source, lot.amount), Line(chart.WALLET, -lot.amount)]
    posting_id = await post(tx, tenant_id, currency, kind, lines, reference)
    if posting_id is None:
        raise LookupError("a posting of an amount has entries")
    lot_id = tx.clock.new_id()
    if await wallets.credit(lot_id, posting_id, lot):
        events.wallet_credited(tx, tenant_id, currency, lot_id, lot)
        debt = await wallets.personal_debt()
        if debt:
            await burn(tx, tenant_id, debt, currency, reference=f"owed:{posting_id}")
    return await wallets.lot_of(posting_id)


async def _open(tx: Transaction, tenant_id: UUID, amount: Decimal, currency: str) -> Wallets:
    """Locks the wallet; raises AmountInvalid, CurrencyUnknown and CurrencyMismatch."""
    if not amount > ZERO:
        raise AmountInvalid("The amount must be above zero.", field="amount")
    if currency not in CURRENCIES:
        raise CurrencyUnknown("The currency is none of ISO 4217's.", field="currency")
    wallets = Wallets(tx, tenant_id)
    own = await wallets.open(await currency_of(tx, tenant_id))
    if currency != own:
        raise CurrencyMismatch(f"The wallet is kept in {own}.", field="currency")
    return wallets
