"""The queries on the price list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, time
from decimal import Decimal
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import select, tuple_

from chassis.database import Snapshot
from services.billing import models
from services.billing.price_list import Addition
from services.billing.price_source import CURRENCY
from services.billing.rating import Price, Rates, Schedule, Terms, Tier, Window

_PRICE = """id, model, effective_time, revision, currency, input_per_million, cached_input_per_million,
    output_per_million, tiers, windows"""


_NEWER = f"SELECT sequence, {_PRICE} FROM wrtn_prices WHERE sequence > %s ORDER BY sequence"  # noqa: S608


_ADD = f"""INSERT INTO wrtn_prices ({_PRICE}, source, create_time)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"""  # noqa: S608


_LOCK = "SELECT pg_advisory_xact_lock(hashtext('wrtn_prices'))"


class Prices:
    """The price list, the same for all tenants."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    async def newer(self, sequence: int) -> list[tuple[int, Price]]:
        """Answers the entries after this sequence, each with its own."""
        cursor = await (await self._snapshot.driver()).execute(_NEWER, (sequence,))
        return [(row[0], _price(row[1:])) for row in await cursor.fetchall()]

    async def lock(self) -> None:
        """Waits until no other importer is at work."""
        await (await self._snapshot.driver()).execute(_LOCK)

    async def add(self, added: Iterable[Addition], source: str) -> None:
        """Inserts entries."""
        now, clock = self._snapshot.now, self._snapshot.clock
        rows = [(clock.new_id(), *_row(each), source, now) for each in added]
        async with (await self._snapshot.driver()).cursor() as cursor:
            await cursor.executemany(_ADD, rows)

    async def page(
        self, keys: Sequence[str], after: tuple[str, ...] | None, size: int
    ) -> Sequence[models.Price]:
        """Answers entries by model, the newest first; only those of `keys` if there are any."""
        entry = models.Price
        query = select(entry).order_by(entry.model, entry.effective_time.desc(), entry.revision.desc())
        if keys:
            query = query.where(entry.model.in_(keys))
        if after:
            model, effective, revision = after[0], datetime.fromisoformat(after[1]), int(after[2])
            older = tuple_(entry.effective_time, entry.revision) < tuple_(effective, revision)
            query = query.where((entry.model > model) | ((entry.model == model) & older))
        return (await self._snapshot.session.scalars(query.limit(size))).all()


def _row(addition: Addition) -> tuple[object, ...]:
    schedule = addition.schedule
    return (
        addition.model,
        addition.effective_time,
        addition.revision,
        CURRENCY,
        *schedule.terms.base,
        Jsonb(_tiers(schedule.terms)),
        Jsonb(
            [
                {
                    "start": window.start.isoformat(),
                    "end": window.end.isoformat(),
                    "base": [str(rate) for rate in window.terms.base],
                    "tiers": _tiers(window.terms),
                }
                for window in schedule.windows
            ]
        ),
    )


def _tiers(terms: Terms) -> list[dict[str, object]]:
    return [{"above": tier.above, "rates": [str(rate) for rate in tier.rates]} for tier in terms.tiers]


def _price(row: Sequence[Any]) -> Price:
    id_, model, effective_time, revision, currency, *rates, tiers, windows = row
    terms = Terms(Rates(*rates), read_tiers(tiers))
    schedule = Schedule(
        terms,
        tuple(
            Window(
                time.fromisoformat(window["start"]),
                time.fromisoformat(window["end"]),
                Terms(_rates(window["base"]), read_tiers(window["tiers"])),
            )
            for window in windows
        ),
    )
    return Price(id_, model, effective_time, revision, currency, schedule)


def read_tiers(tiers: Sequence[Any]) -> tuple[Tier, ...]:
    """Reads the column `tiers`."""
    return tuple(Tier(tier["above"], _rates(tier["rates"])) for tier in tiers)


def _rates(texts: Sequence[str]) -> Rates:
    return Rates(*map(Decimal, texts))
