"""Guarantee M2: random operations on ledgers and wallets against a plain model of both, lot by lot.

20,000 operations, or as many as WRTN_LEDGER_OPERATIONS says; docs/performance.md has a million.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from uuid import UUID

from chassis.database import Scope, Transaction
from chassis.errors import DomainError
from chassis.testing.databases import DatabaseFactory
from services.billing.models import LotKind, WalletLot
from services.billing.store import Postings
from services.billing.usage.usages import RatedUsage
from services.billing.wallets import wallets
from tests.usage import NEW, NOON

OPERATIONS = int(os.environ.get("WRTN_LEDGER_OPERATIONS", "20000"))
_TENANTS = 25
_USAGES = 1480
_ACTS = 20
_ZERO = Decimal(0)

_STANDS = """
SELECT ledger.tenant_id, coalesce(wallet.balance, 0),
    (SELECT jsonb_object_agg(ledger_account, balance::text) FROM wrtn_ledger_balances
     WHERE tenant_id = ledger.tenant_id)
FROM wrtn_ledgers AS ledger LEFT JOIN wrtn_wallets AS wallet USING (tenant_id)
"""
# Each entry says what the balance was after it: so what held after every single operation is seen at the end.
_UNSUMMED = """
SELECT count(*) FROM (
    SELECT balance, sum(amount) OVER running AS summed, sequence,
        row_number() OVER (PARTITION BY tenant_id ORDER BY sequence) AS place
    FROM wrtn_ledger_entries
    WINDOW running AS (PARTITION BY tenant_id, ledger_account ORDER BY sequence)) AS entry
WHERE balance <> summed OR sequence <> place
"""
# And a trigger noted every change of a lot: so each slice that a burn took of it, and in which order.
_LOTS = """
SELECT id, kind, priority, expire_time, amount, refunded, trail
FROM wrtn_wallet_lots JOIN (
    SELECT tenant_id, lot_id AS id, array_agg((after ->> 'remaining')::numeric ORDER BY sequence) AS trail
    FROM wrtn_wallet_changes WHERE lot_id IS NOT NULL GROUP BY tenant_id, lot_id) AS changed
    USING (tenant_id, id) WHERE trail[cardinality(trail)] = remaining
"""
_UNBALANCED = """
SELECT count(*) FROM (SELECT FROM wrtn_ledger_entries GROUP BY tenant_id, posting_id HAVING sum(amount) <> 0)
    AS posting
"""


@dataclass
class Lot:
    """Credits as the model knows them."""

    id: UUID
    kind: str
    priority: int
    expire_time: datetime | None
    amount: Decimal
    trail: list[Decimal]
    """What it had left, at first and after each change."""
    refunded: Decimal = _ZERO

    @property
    def remaining(self) -> Decimal:
        """What it has left."""
        return self.trail[-1]

    def take(self, amount: Decimal) -> None:
        """Takes some of what it has left."""
        if amount:
            self.trail.append(self.remaining - amount)

    @property
    def row(self) -> tuple[object, ...]:
        """As the database answers it."""
        return self.kind, self.priority, self.expire_time, self.amount, self.refunded, self.trail


@dataclass
class Books:
    """The ledger and the lots of a tenant as the model knows them."""

    tenant_id: UUID
    personal: bool
    """Whether credits that come pay what is owed: nobody invoices a personal account."""
    lots: list[Lot] = field(default_factory=list)
    balances: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    def move(self, amount: Decimal, debit: str, credit: str) -> None:
        """Debits one account and credits another."""
        self.balances[debit] += amount
        self.balances[credit] -= amount

    def add(self, lot: WalletLot, source: str, now: datetime) -> None:
        """Takes credits in."""
        made = Lot(lot.id, lot.kind, lot.priority, lot.expire_time, lot.amount, [lot.amount])
        self.lots.append(made)
        self.move(lot.amount, source, "wallet")
        if self.personal:
            debt = max(self.balances["receivable"], _ZERO)
            self.move(self.burn(debt, now), "wallet", "receivable")

    def burn(self, amount: Decimal, now: datetime) -> Decimal:
        """Takes credits by priority, expiry and age; answers how much they cover."""
        left = amount
        alive = [each for each in self.lots if each.remaining and (each.expire_time or _NEVER) > now]
        # They stand by age already, and sorting leaves what is equal in its order.
        for lot in sorted(alive, key=lambda each: (each.priority, each.expire_time or _NEVER)):
            part = min(left, lot.remaining)
            lot.take(part)
            left -= part
        return amount - left

    def charge(self, amount: Decimal, revenue: str, now: datetime) -> None:
        """Burns what the credits cover; the rest is owed."""
        covered = self.burn(amount, now)
        self.move(covered, "wallet", revenue)
        self.move(amount - covered, "receivable", revenue)

    @property
    def credits(self) -> Decimal:
        """What the lots have left."""
        return sum((each.remaining for each in self.lots), _ZERO)


_NEVER = datetime.max.replace(tzinfo=NOON.tzinfo)
Act = Callable[[Transaction, Books], Awaitable[None]]


@dataclass
class Chance:
    """Random operations, each done to the database and to the model."""

    random: Random

    def amount(self) -> Decimal:
        """Any amount, to the last digit that usages have."""
        return Decimal(self.random.randrange(1, 10**9)).scaleb(self.random.choice([-9, -8, -7]))

    def credits(self) -> Decimal:
        """So much that several lots are there at a time, and a burn takes some of each."""
        return self.amount() * 100

    def acts(self) -> Iterator[Act]:
        """Endless operations on single wallets."""
        every = (self.purchase, self.bonus, self.grant, self.fine, self.refund, self.pay, self.expire)
        while True:
            yield self.random.choice(every)

    async def purchase(self, tx: Transaction, books: Books) -> None:
        """Twice, as a payment may be told."""
        amount, reference = self.credits(), f"payment:{NEW()}"
        made = [
            await wallets.purchase(
                tx, books.tenant_id, amount, "USD", source="cash:test", reference=reference
            )
            for _ in range(2)
        ]
        assert made[0].id == made[1].id
        books.add(made[0], "cash:test", tx.now)

    async def bonus(self, tx: Transaction, books: Books) -> None:
        """Gives credits for good."""
        lot = await wallets.bonus(tx, books.tenant_id, self.credits(), "USD", reference=f"bonus:{NEW()}")
        books.add(lot, "bonus_expense", tx.now)

    async def grant(self, tx: Transaction, books: Books) -> None:
        """Gives credits for some steps."""
        lot = await wallets.grant(
            tx,
            books.tenant_id,
            self.credits(),
            "USD",
            priority=self.random.choice([10, 50, 100]),
            expire_time=tx.now + timedelta(minutes=self.random.randrange(1, 9)),
            reference=f"grant:{NEW()}",
        )
        books.add(lot, "bonus_expense", tx.now)

    async def fine(self, tx: Transaction, books: Books) -> None:
        """Fines, whatever there is."""
        amount = self.amount()
        await wallets.fine(tx, books.tenant_id, amount, "USD", reference=f"fine:{NEW()}")
        books.charge(amount, "fines", tx.now)

    async def refund(self, tx: Transaction, books: Books) -> None:
        """Refunds some of a lot, or more than that."""
        if not books.lots:
            return
        lot, amount = self.random.choice(books.lots), self.amount()
        allowed = lot.kind == LotKind.PURCHASE and amount <= min(lot.amount - lot.refunded, lot.remaining)
        done = await _done(
            wallets.refund(tx, books.tenant_id, lot.id, amount, "USD", reference=f"refund:{NEW()}")
        )
        assert done == allowed
        if allowed:
            lot.take(amount)
            lot.refunded += amount
            books.move(amount, "wallet", "refunds")

    async def pay(self, tx: Transaction, books: Books) -> None:
        """Pays with credits what is owed."""
        amount = self.amount()
        covered = await wallets.burn(tx, books.tenant_id, amount, "USD", reference=f"invoice:{NEW()}")
        assert covered == books.burn(amount, tx.now)
        books.move(covered, "wallet", "receivable")

    async def expire(self, tx: Transaction, books: Books) -> None:
        """Takes what is past its time."""
        await wallets.expire(tx, books.tenant_id, tx.now)
        for lot in books.lots:
            if lot.expire_time is not None and lot.expire_time <= tx.now:
                books.move(lot.remaining, "wallet", "breakage")
                lot.take(lot.remaining)

    def used(self, books: Books, now: datetime) -> RatedUsage:
        """A usage of the tenant; every tenth is free."""
        charge = self.amount() if self.random.randrange(10) else _ZERO
        return _TEMPLATE._replace(
            tenant_id=books.tenant_id, history_id=NEW(), cost=charge, charge=charge, use_time=now
        )


async def _done(work: Awaitable[object]) -> bool:
    """Whether it was done; False if it was refused."""
    try:
        await work
    except DomainError:
        return False
    return True


_NOBODY = UUID(int=0)
_TEMPLATE = RatedUsage(
    tenant_id=_NOBODY,
    history_id=_NOBODY,
    chat_session_id=_NOBODY,
    account_id=_NOBODY,
    member_id=_NOBODY,
    employee_id=None,
    team_id=None,
    ancestor_team_ids="{}",
    path_id=_NOBODY,
    title=0,
    role=0,
    model="test/model",
    input_tokens=0,
    cached_input_tokens=0,
    output_tokens=0,
    reasoning_tokens=0,
    accepted_prediction_tokens=0,
    rejected_prediction_tokens=0,
    cache_write_tokens=0,
    requests=0,
    images=0,
    seconds=0,
    price_id=None,
    cost=_ZERO,
    currency="USD",
    charge=_ZERO,
    charge_currency="USD",
    price_rule_ids="{}",
    exchange_rate_id=None,
    use_time=NOON,
    reservation_id=None,
    procedure_id=None,
)


async def test_random_operations_balance_after_each_and_stand_as_in_a_plain_model(
    database: DatabaseFactory,
) -> None:
    made, chance = await database("billing"), Chance(Random(6))
    every = [Books(NEW(), personal=bool(number % 2)) for number in range(_TENANTS)]
    scope = Scope(frozenset(each.tenant_id for each in every))
    async with made.app.transaction(scope) as tx:
        driver = await tx.driver()
        accounts = [(each.tenant_id, each.tenant_id, NEW(), 1) for each in every if each.personal]
        enterprises = [(each.tenant_id, "UTC", 1) for each in every if not each.personal]
        async with driver.cursor() as cursor:
            await cursor.executemany("INSERT INTO wrtn_known_accounts VALUES (%s, %s, %s, %s)", accounts)
            await cursor.executemany("INSERT INTO wrtn_known_enterprises VALUES (%s, %s, %s)", enterprises)
    acts, now, done = chance.acts(), NOON, 0
    while done < OPERATIONS:
        now += timedelta(minutes=1)
        async with made.app.transaction(scope) as tx:
            tx.now = now
            for books in chance.random.sample(every, _ACTS):
                await next(acts)(tx, books)
        async with made.app.transaction(scope) as tx:
            tx.now = now
            await _use(tx, chance, every, now)
        done += _ACTS + _USAGES
        async with made.app.snapshot(scope) as snapshot:
            found = await (await (await snapshot.driver()).execute(_STANDS)).fetchall()
        _compare(every, {row[0]: row[1:] for row in found})
    async with made.app.snapshot(scope) as snapshot:
        driver = await snapshot.driver()
        for query in (_UNSUMMED, _UNBALANCED):
            assert await (await driver.execute(query)).fetchone() == (0,)
        lots = {row[0]: row[1:] for row in await (await driver.execute(_LOTS)).fetchall()}
    assert lots == {lot.id: lot.row for books in every for lot in books.lots}


async def _use(tx: Transaction, chance: Chance, every: list[Books], now: datetime) -> None:
    """Rates a batch of usages, some of which come again."""
    chosen = [chance.random.choice(every) for _ in range(_USAGES)]
    batch = [chance.used(books, now) for books in chosen]
    assert len(await Postings(tx).post(batch)) == _USAGES
    assert await Postings(tx).post(batch[:9]) == set()
    charges: dict[UUID, Decimal] = defaultdict(Decimal)
    for each in batch:
        charges[each.tenant_id] += each.charge
    for books in every:
        books.charge(charges[books.tenant_id], "usage_revenue", now)


def _compare(every: list[Books], found: dict[UUID, tuple[Decimal, dict[str, str]]]) -> None:
    for books in every:
        if books.tenant_id not in found:
            assert not any(books.balances.values())
            continue
        balance, accounts = found[books.tenant_id]
        balances = {name: Decimal(amount) for name, amount in (accounts or {}).items()}
        assert sum(balances.values(), _ZERO) == 0
        assert balance == books.credits == -balances.get("wallet", _ZERO)
        assert {name: each for name, each in balances.items() if each} == {
            name: each for name, each in books.balances.items() if each
        }
