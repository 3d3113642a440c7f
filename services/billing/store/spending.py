"""The queries of an admission: the counters of the budgets that cover it, and what comes of it.

Everything here is of one tenant. Locks are taken in one order everywhere: the ledger, reservations, the hold
of the wallet, periods, each by key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg.errors import UniqueViolation

from chassis.database import Snapshot, arrays
from services.billing.periods import Span
from services.billing.spending.admission import Counter

Cursor = psycopg.AsyncCursor[tuple[Any, ...]]

_ZONE = "SELECT time_zone FROM wrtn_known_enterprises WHERE tenant_id = %s"

_BEGIN = """
INSERT INTO wrtn_budget_periods
    (tenant_id, budget_id, start_time, end_time, spent, reserved, requests, tokens, drain_time)
SELECT %(tenant)s, budget_id, start_time, end_time, 0, 0, 0, 0, %(now)s
FROM unnest(%(budget_id)s::uuid[], %(start_time)s::timestamptz[], %(end_time)s::timestamptz[])
    AS begun (budget_id, start_time, end_time)
ORDER BY budget_id, start_time
ON CONFLICT DO NOTHING
"""

_LOCK = """
SELECT budget_id, start_time, end_time, spent, reserved, requests, tokens, drain_time
FROM wrtn_budget_periods
WHERE tenant_id = %(tenant)s AND (budget_id, start_time) IN (
    SELECT * FROM unnest(%(budget_id)s::uuid[], %(start_time)s::timestamptz[]))
ORDER BY budget_id, start_time
FOR UPDATE
"""

# A statement of its own, behind the locks: only so it sees the terms as the last change left them.
_TERMS = """
SELECT id, amount + coalesce((
        SELECT sum(extra.amount) FROM wrtn_budget_extras AS extra
        WHERE extra.tenant_id = budget.tenant_id AND extra.budget_id = budget.id
            AND extra.start_time <= %(now)s AND extra.end_time > %(now)s), 0),
    soft, requests_per_minute, tokens_per_minute
FROM wrtn_budgets AS budget
WHERE tenant_id = %(tenant)s AND id = ANY (%(budget_id)s) AND archive_time IS NULL
"""

_LOCK_HOLD = "SELECT reserved FROM wrtn_wallet_holds WHERE tenant_id = %(tenant)s FOR UPDATE"

# Behind the lock of the hold, as the terms of budgets are. What is past its time covers nothing any more.
_PURSE = """
SELECT prepaid, coalesce((
    SELECT sum(remaining) FROM wrtn_wallet_lots AS lot
    WHERE lot.tenant_id = wallet.tenant_id AND remaining > 0
        AND (expire_time IS NULL OR expire_time > %(now)s)), 0)
FROM wrtn_wallets AS wallet WHERE tenant_id = %(tenant)s
"""

_HOLD = "UPDATE wrtn_wallet_holds SET reserved = %(reserved)s WHERE tenant_id = %(tenant)s"

_WRITE_BACK = """
UPDATE wrtn_budget_periods AS kept
SET reserved = new.reserved, requests = new.requests, tokens = new.tokens, drain_time = %(now)s
FROM unnest(%(budget_id)s::uuid[], %(start_time)s::timestamptz[], %(reserved)s::numeric[],
            %(requests)s::float8[], %(tokens)s::float8[])
    AS new (budget_id, start_time, reserved, requests, tokens)
WHERE kept.tenant_id = %(tenant)s AND kept.budget_id = new.budget_id AND kept.start_time = new.start_time
"""


class Kept(NamedTuple):
    """A reservation as it stands, or is to stand, in its row; in the order of the columns.

    A plain tuple, since a batch makes one for each of its spendings: mapped rows cost several times as much.
    """

    tenant_id: UUID
    id: UUID
    request_hash: bytes
    state: str
    amount: Decimal
    settled_amount: Decimal
    currency: str
    account_id: UUID
    member_id: UUID
    employee_id: UUID | None
    team_id: UUID | None
    ancestor_team_ids: Sequence[UUID]
    title: int
    role: int
    model: str
    budget_ids: Sequence[UUID]
    period_start_times: Sequence[datetime]
    wallet_held: bool
    expire_time: datetime
    create_time: datetime
    end_time: datetime | None


_COLUMNS = ", ".join(Kept._fields)
FIND = f"SELECT {_COLUMNS} FROM wrtn_reservations WHERE tenant_id = %s AND id = ANY (%s::uuid[])"  # noqa: S608
_TYPES = {
    "request_hash": "text",
    "state": "text",
    "amount": "numeric",
    "settled_amount": "numeric",
    "currency": "text",
    "ancestor_team_ids": "text",
    "title": "smallint",
    "role": "smallint",
    "model": "text",
    "budget_ids": "text",
    "period_start_times": "text",
    "wallet_held": "boolean",
    "expire_time": "timestamptz",
    "create_time": "timestamptz",
    "end_time": "timestamptz",
}
_ARRAYS = ("ancestor_team_ids", "budget_ids", "period_start_times")
_CASTS = {
    "request_hash": "decode(request_hash, 'hex')",
    "ancestor_team_ids": "ancestor_team_ids::uuid[]",
    "budget_ids": "budget_ids::uuid[]",
    "period_start_times": "period_start_times::timestamptz[]",
}
_ADD = f"""
INSERT INTO wrtn_reservations ({_COLUMNS})
SELECT {", ".join(_CASTS.get(name, name) for name in Kept._fields)}
FROM unnest({", ".join(f"%({name})s::{_TYPES.get(name, 'uuid')}[]" for name in Kept._fields)})
    AS made ({_COLUMNS})
"""  # noqa: S608


class Covering(NamedTuple):
    """A budget that may cover a spending, and its newest period up to now."""

    id: UUID
    team_id: UUID | None
    employee_id: UUID | None
    resource: str
    period: int
    latest: Span | None


class Terms(NamedTuple):
    """What of a budget can be changed, as far as admissions ask for it; the amount with approved extras."""

    amount: Decimal
    soft: bool
    requests_per_minute: int
    tokens_per_minute: int


class Held(NamedTuple):
    """What a period's row says."""

    end_time: datetime | None
    spent: Decimal
    reserved: Decimal
    requests: float
    tokens: float
    drain_time: datetime


class Purse(NamedTuple):
    """What a wallet can give, and what calls under way hold of it."""

    prepaid: bool
    credits: Decimal
    reserved: Decimal


Key = tuple[UUID, datetime]
"""A period: its budget and when it began."""


class Locked(NamedTuple):
    """What an admission holds locks on until the commit, and the terms behind them."""

    held: dict[Key, Held]
    terms: dict[UUID, Terms]
    purse: Purse | None
    """None if the tenant has no wallet."""


class Spending:
    """The queries, bound to one tenant."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._tx = tx
        self._tenant_id = tenant_id

    async def time_zone(self) -> str:
        """Answers the time zone of the tenant's days; UTC for personal accounts."""
        row = await (await (await self._tx.driver()).execute(_ZONE, (self._tenant_id,))).fetchone()
        return row[0] if row is not None else "UTC"

    async def begin(self, periods: Iterable[tuple[UUID, Span]], now: datetime) -> None:
        """Begins periods that are not there yet, with nothing spent."""
        rows = [(budget_id, span.start, span.end) for budget_id, span in periods]
        values = arrays.by_column(("budget_id", "start_time", "end_time"), rows)
        await (await self._tx.driver()).execute(_BEGIN, values | {"tenant": self._tenant_id, "now": now})

    async def lock(self, keys: Sequence[Key], *, wallet: bool = True) -> Locked:
        """Locks the wallet and the periods until the commit, and reads their terms as of then.

        `wallet` is False for a tenant that has none.
        """
        values = {
            "tenant": self._tenant_id,
            "now": self._tx.now,
            "budget_id": arrays.literal(key[0] for key in keys),
            "start_time": arrays.literal(key[1] for key in keys),
        }
        driver = await self._tx.driver()
        async with driver.pipeline():
            hold = await driver.execute(_LOCK_HOLD, values) if wallet else None
            held = await driver.execute(_LOCK, values)
            terms = await driver.execute(_TERMS, values)
            purse = await driver.execute(_PURSE, values) if wallet else None
        return Locked(
            {(row[0], row[1]): Held(*row[2:]) for row in await held.fetchall()},
            {row[0]: Terms(*row[1:]) for row in await terms.fetchall()},
            await _purse(hold, purse),
        )

    async def write_back(self, counters: Iterable[Counter], now: datetime) -> None:
        """Writes what admissions changed of the locked wallet and periods."""
        changed = list(counters)
        rows = [
            (each.budget_id, each.start, each.reserved, each.requests, each.tokens)
            for each in changed
            if not each.wallet
        ]
        names = ("budget_id", "start_time", "reserved", "requests", "tokens")
        driver = await self._tx.driver()
        for wallet in (each for each in changed if each.wallet):
            await driver.execute(_HOLD, {"tenant": self._tenant_id, "reserved": wallet.reserved})
        if rows:
            values = arrays.by_column(names, rows) | {"tenant": self._tenant_id, "now": now}
            await driver.execute(_WRITE_BACK, values)

    async def reservations(self, ids: Sequence[UUID]) -> Mapping[UUID, Kept]:
        """Answers those reservations that there are."""
        cursor = await (await self._tx.driver()).execute(FIND, (self._tenant_id, arrays.literal(ids)))
        return {row[1]: Kept._make(row) for row in await cursor.fetchall()}

    async def keep(
        self, changed: Sequence[Counter], added: Sequence[Kept], now: datetime, *, commit: bool
    ) -> bool:
        """Writes counters and adds reservations, and commits if that is all, in one round trip.

        False if one of the reservations is there already: then nothing is committed, nor can be any more.
        """
        driver = await self._tx.driver()
        try:
            async with driver.pipeline():
                await self.write_back(changed, now)
                if added:
                    await driver.execute(_ADD, _columns(added))
                if commit:
                    # PostgreSQL passes over it if a statement before it in the round trip fails.
                    await driver.execute("COMMIT")
        except UniqueViolation:
            return False
        return True


async def _purse(hold: Cursor | None, wallet: Cursor | None) -> Purse | None:
    reserved = await hold.fetchone() if hold is not None else None
    purse = await wallet.fetchone() if wallet is not None else None
    return Purse(*purse, *reserved) if purse is not None and reserved is not None else None


def _columns(rows: Sequence[Kept]) -> dict[str, str]:
    """Answers the rows by column; bytes and arrays as texts, since arrays of arrays cannot be unnested."""
    columns: dict[str, Sequence[Any]] = dict(zip(Kept._fields, zip(*rows, strict=True), strict=True))
    columns["request_hash"] = [each.hex() for each in columns["request_hash"]]
    for name in _ARRAYS:
        columns[name] = [arrays.again(tuple(each)) for each in columns[name]]
    return {name: arrays.literal(column) for name, column in columns.items()}
