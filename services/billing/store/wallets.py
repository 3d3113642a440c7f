"""The queries on wallets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select, tuple_

from chassis.database import Snapshot, Transaction
from services.billing.ledger.chart import RECEIVABLE
from services.billing.models import LedgerBalance, LotKind, Posting, Wallet, WalletHold, WalletLot
from services.billing.pricing.price_source import CURRENCY
from services.billing.wallets.burning import BURN, UNBURN

# A tenant is one that events told of: an enterprise, or an account that is its own tenant.
_TENANT = """
SELECT coalesce((SELECT currency FROM wrtn_ledgers WHERE tenant_id = %(tenant)s),
                (SELECT currency FROM wrtn_known_currencies WHERE tenant_id = %(tenant)s), %(default)s)
WHERE EXISTS (SELECT FROM wrtn_known_enterprises WHERE tenant_id = %(tenant)s)
    OR EXISTS (SELECT FROM wrtn_known_accounts WHERE tenant_id = %(tenant)s AND account_id = %(tenant)s)
"""
_LOCK_LEDGER = """
INSERT INTO wrtn_ledgers (tenant_id, currency, last_sequence) VALUES (%(tenant)s, %(currency)s, 0)
ON CONFLICT (tenant_id) DO UPDATE SET currency = wrtn_ledgers.currency RETURNING currency
"""
_OPEN = """
WITH hold AS (
    INSERT INTO wrtn_wallet_holds (tenant_id, reserved) VALUES (%(tenant)s, 0) ON CONFLICT DO NOTHING
)
INSERT INTO wrtn_wallets (tenant_id, currency, balance, prepaid, version, create_time, update_time)
VALUES (%(tenant)s, %(currency)s, 0, false, 1, %(now)s, %(now)s)
ON CONFLICT DO NOTHING
"""
# Nobody invoices a personal account: it pays in advance, unless administrators say otherwise.
_OPEN_PERSONAL = """
WITH opened AS (SELECT DISTINCT tenant_id FROM unnest(%(tenants)s::uuid[]) AS each (tenant_id) ORDER BY 1),
hold AS (
    INSERT INTO wrtn_wallet_holds (tenant_id, reserved) SELECT tenant_id, 0 FROM opened ON CONFLICT DO NOTHING
)
INSERT INTO wrtn_wallets (tenant_id, currency, balance, prepaid, version, create_time, update_time)
SELECT tenant_id, %(currency)s, 0, true, 1, %(now)s, %(now)s FROM opened
ON CONFLICT DO NOTHING
"""
_PERSONAL_DEBT = f"""
SELECT balance FROM wrtn_ledger_balances
WHERE tenant_id = %(tenant)s AND ledger_account = '{RECEIVABLE}' AND balance > 0 AND EXISTS (
    SELECT FROM wrtn_known_accounts WHERE tenant_id = %(tenant)s AND account_id = %(tenant)s)
"""  # noqa: S608
_CREDIT = """
WITH lot AS (
    INSERT INTO wrtn_wallet_lots
        (tenant_id, id, kind, amount, remaining, refunded, priority, expire_time, posting_id, create_time)
    VALUES (%(tenant)s, %(id)s, %(kind)s, %(amount)s, %(amount)s, 0, %(priority)s, %(expire_time)s,
            %(posting_id)s, %(now)s)
    ON CONFLICT (tenant_id, posting_id) DO NOTHING
    RETURNING tenant_id, amount
)
UPDATE wrtn_wallets AS wallet SET balance = balance + lot.amount, update_time = %(now)s
FROM lot WHERE wallet.tenant_id = lot.tenant_id
"""
_BURN = f"""
WITH wanted AS (SELECT %(tenant)s::uuid AS tenant_id, %(amount)s::numeric AS amount),{BURN}
SELECT amount FROM burnt
"""  # noqa: S608
_UNBURN = f"""
WITH wanted AS (SELECT %(tenant)s::uuid AS tenant_id, %(amount)s::numeric AS amount),{UNBURN}
SELECT amount FROM returned
"""  # noqa: S608
_TAKE = """
WITH lot AS (
    UPDATE wrtn_wallet_lots SET remaining = remaining - %(amount)s, refunded = refunded + %(refunded)s
    WHERE tenant_id = %(tenant)s AND id = %(id)s
)
UPDATE wrtn_wallets SET balance = balance - %(amount)s, update_time = %(now)s WHERE tenant_id = %(tenant)s
"""
# The wallet's entry is found by its time, which is that of its posting.
_BURNT = """
SELECT entry.amount FROM wrtn_postings AS posting
JOIN wrtn_ledger_entries AS entry USING (tenant_id, create_time)
WHERE posting.tenant_id = %(tenant)s AND posting.reference = %(reference)s AND entry.posting_id = posting.id
    AND entry.ledger_account = 'wallet'
"""
_HOLD = "SELECT reserved FROM wrtn_wallet_holds WHERE tenant_id = %s FOR UPDATE"
_EXPIRED = """
SELECT id, remaining FROM wrtn_wallet_lots
WHERE tenant_id = %s AND remaining > 0 AND expire_time <= %s ORDER BY sequence
"""


# Of two refusals at a time one tells: they come behind the lock of the hold, and the key is the last word.
_NOTE_REFUSAL = """
INSERT INTO wrtn_wallet_notices (tenant_id, start_time, create_time)
SELECT tenant_id, greatest(create_time, (
    SELECT max(create_time) FROM wrtn_wallet_lots WHERE tenant_id = %(tenant)s)), %(now)s
FROM wrtn_wallets WHERE tenant_id = %(tenant)s
ON CONFLICT DO NOTHING
"""


NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""As which what does not expire is ordered."""

Place = tuple[int, datetime, int]
"""Where a lot stands in the order in which they burn: priority, expiry, age."""


class NewLot(NamedTuple):
    """Credits that come."""

    kind: LotKind
    amount: Decimal
    priority: int
    expire_time: datetime | None


async def tenants_expiring(tx: Snapshot, now: datetime) -> Sequence[UUID]:
    """Answers the tenants with credits that are past their time. For the worker role, which sees no more."""
    lot = WalletLot
    query = select(lot.tenant_id).where(lot.remaining > 0, lot.expire_time <= now).distinct()
    return (await tx.session.scalars(query)).all()


async def tenants_below(tx: Snapshot) -> Sequence[UUID]:
    """Answers the tenants whose wallets are to be topped up. For the worker role, which sees no more."""
    query = select(Wallet.tenant_id).where(Wallet.balance < Wallet.top_up_threshold)
    return (await tx.session.scalars(query)).all()


async def open_personal(tx: Transaction, tenant_ids: Iterable[UUID]) -> None:
    """Makes the wallets of personal accounts: they are prepaid. Those that there are stay."""
    values = {"tenants": list(tenant_ids), "currency": CURRENCY, "now": tx.now}
    await (await tx.driver()).execute(_OPEN_PERSONAL, values)


class WalletRead:
    """A tenant's wallet, to read."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._tx = tx
        self._tenant_id = tenant_id

    async def currency(self) -> str | None:
        """Answers the currency of the tenant; None if nobody told of such a tenant."""
        values = {"tenant": self._tenant_id, "default": CURRENCY}
        row = await (await (await self._tx.driver()).execute(_TENANT, values)).fetchone()
        return row[0] if row is not None else None

    async def get(self) -> Wallet | None:
        """Answers the wallet as it stands now; None before anything was credited or set."""
        return await self._tx.session.get(Wallet, self._tenant_id, populate_existing=True)

    async def reserved(self) -> Decimal:
        """Answers what calls under way hold."""
        row = await self._tx.session.get(WalletHold, self._tenant_id, populate_existing=True)
        return row.reserved if row is not None else Decimal(0)

    async def owed(self) -> Decimal:
        """Answers what the tenant owes by its ledger; below zero, what is owed to it."""
        row = await self._tx.session.get(LedgerBalance, (self._tenant_id, RECEIVABLE), populate_existing=True)
        return row.balance if row is not None else Decimal(0)

    async def personal_debt(self) -> Decimal:
        """Answers what a personal account owes; nothing for enterprises, which are invoiced for it."""
        row = await (
            await (await self._tx.driver()).execute(_PERSONAL_DEBT, {"tenant": self._tenant_id})
        ).fetchone()
        return row[0] if row is not None else Decimal(0)

    async def burnt(self, reference: str) -> Decimal | None:
        """Answers how many credits the posting with this reference took; None if there is none.

        Below zero if it returned some.
        """
        values = {"tenant": self._tenant_id, "reference": reference}
        cursor = await (await self._tx.driver()).execute(_BURNT, values)
        row = await cursor.fetchone()
        return row[0] if row is not None else None

    async def lot(self, lot_id: UUID) -> WalletLot | None:
        """Answers a lot as it stands now."""
        return await self._tx.session.get(WalletLot, (self._tenant_id, lot_id), populate_existing=True)

    async def lot_of(self, posting_id: UUID) -> WalletLot:
        """Answers the lot that a posting credited."""
        lot = WalletLot
        query = select(lot).where(lot.tenant_id == self._tenant_id, lot.posting_id == posting_id)
        return (await self._tx.session.scalars(query.execution_options(populate_existing=True))).one()

    async def lot_bought(self, reference: str) -> WalletLot | None:
        """Answers the lot that was bought under this reference, as it stands now."""
        row, lot = Posting, WalletLot
        posting = select(row.id).where(row.tenant_id == self._tenant_id, row.reference == reference)
        query = select(lot).where(lot.tenant_id == self._tenant_id, lot.posting_id.in_(posting))
        return await self._tx.session.scalar(query.execution_options(populate_existing=True))

    async def references(self, lots: Iterable[WalletLot]) -> dict[UUID, str]:
        """Answers the references of the postings that credited lots, by posting."""
        row, wanted = Posting, [lot.posting_id for lot in lots]
        query = select(row.id, row.reference).where(row.tenant_id == self._tenant_id, row.id.in_(wanted))
        return {found.id: found.reference for found in await self._tx.session.execute(query)}

    async def unspent(self, after: Place | None, size: int) -> Sequence[WalletLot]:
        """Answers the lots with something left, in the order in which they burn."""
        lot = WalletLot
        # What does not expire burns last: as a time it is later than any.
        place = tuple_(lot.priority, func.coalesce(lot.expire_time, NEVER), lot.sequence)
        query = select(lot).where(lot.tenant_id == self._tenant_id, lot.remaining > 0)
        if after is not None:
            query = query.where(place > tuple_(*after))
        return (await self._tx.session.scalars(query.order_by(*place).limit(size))).all()


class Wallets(WalletRead):
    """A tenant's wallet, to change. Whoever changes it locks the tenant's ledger first."""

    def __init__(self, tx: Transaction, tenant_id: UUID) -> None:
        super().__init__(tx, tenant_id)
        self._values = {"tenant": tenant_id, "now": tx.now}

    async def open(self, currency: str) -> str:
        """Locks the ledger until the commit, and makes the wallet if there is none; answers the currency."""
        values = self._values | {"currency": currency}
        driver = await self._tx.driver()
        async with driver.pipeline():
            locked = await driver.execute(_LOCK_LEDGER, values)
            await driver.execute(_OPEN, values)
        row = await locked.fetchone()
        return row[0] if row is not None else currency

    async def locked(self) -> Wallet | None:
        """Answers the wallet behind the lock of the ledger; None if there is none."""
        wallet = await self.get()
        if wallet is None:
            return None
        await self.open(wallet.currency)
        return await self.kept()

    async def kept(self) -> Wallet:
        """Answers the wallet, once it is open."""
        return await self._tx.session.get_one(Wallet, self._tenant_id, populate_existing=True)

    async def set_prepaid(self, *, prepaid: bool) -> None:
        """Says whether calls are refused that the wallet does not cover."""
        (await self.kept()).prepaid = prepaid

    async def credit(self, lot_id: UUID, posting_id: UUID, lot: NewLot) -> bool:
        """Adds a lot; False, having changed nothing, if its posting has one."""
        values = self._values | lot._asdict() | {"id": lot_id, "posting_id": posting_id}
        return (await (await self._tx.driver()).execute(_CREDIT, values)).rowcount == 1

    async def burn(self, amount: Decimal) -> Decimal:
        """Takes credits in the order in which they burn; answers how much of the amount they cover."""
        cursor = await (await self._tx.driver()).execute(_BURN, self._values | {"amount": amount})
        row = await cursor.fetchone()
        return row[0] if row is not None else Decimal(0)

    async def unburn(self, amount: Decimal) -> Decimal:
        """Returns credits to the lots that burnt last; answers how many found their place."""
        cursor = await (await self._tx.driver()).execute(_UNBURN, self._values | {"amount": amount})
        row = await cursor.fetchone()
        return row[0] if row is not None else Decimal(0)

    async def take(self, lot_id: UUID, amount: Decimal, *, refunded: Decimal = Decimal(0)) -> None:
        """Takes credits of one lot."""
        values = self._values | {"id": lot_id, "amount": amount, "refunded": refunded}
        await (await self._tx.driver()).execute(_TAKE, values)

    async def lock_hold(self) -> Decimal:
        """Makes admissions wait until the commit; answers what calls under way hold."""
        cursor = await (await self._tx.driver()).execute(_HOLD, (self._tenant_id,))
        row = await cursor.fetchone()
        return row[0] if row is not None else Decimal(0)

    async def note_refusal(self) -> bool:
        """Notes that a refusal is told; False if one was told since credits last came."""
        return (await (await self._tx.driver()).execute(_NOTE_REFUSAL, self._values)).rowcount == 1

    async def expired(self, now: datetime) -> list[tuple[UUID, Decimal]]:
        """Answers the lots that are past their time with what they have left, the oldest first."""
        cursor = await (await self._tx.driver()).execute(_EXPIRED, (self._tenant_id, now))
        return [(row[0], row[1]) for row in await cursor.fetchall()]
