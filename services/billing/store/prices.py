"""The queries on the price list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import select, tuple_

from chassis.database import Snapshot
from services.billing import models
from services.billing.pricing.price_list import Addition
from services.billing.pricing.price_source import CURRENCY
from services.billing.pricing.rating import Price, Rates, Schedule, Terms, Tier, Window

_PRICE = """id, model, effective_time, revision, currency, own, end_time, input_per_million,
    cached_input_per_million, output_per_million, cache_write_per_million, reasoning_per_million,
    per_request, per_image, per_second, tiers, windows"""


_NEWER = f"SELECT sequence, {_PRICE} FROM wrtn_prices WHERE sequence > %s ORDER BY sequence"  # noqa: S608


_COPY = f"COPY wrtn_prices ({_PRICE}, source, create_time) FROM STDIN"


_ADD_OWN = f"""INSERT INTO wrtn_prices ({_PRICE}, source, create_time)
    VALUES ({", ".join(["%s"] * (len(_PRICE.split(",")) + 2))}) ON CONFLICT DO NOTHING"""  # noqa: S608


# The sequence moves, so that every process reads the entry again.
_END = """UPDATE wrtn_prices SET end_time = %(end)s, sequence = DEFAULT
    WHERE id = %(id)s AND own AND (end_time IS NULL OR end_time >= %(end)s) AND effective_time <= %(end)s"""


_NOTE_UNPRICED = """INSERT INTO wrtn_unpriced_models (model, create_time)
    SELECT model, %s FROM unnest(%s::text[]) AS named (model) ORDER BY model
    ON CONFLICT DO NOTHING RETURNING model"""


OWN = "own"
"""The source of what administrators set."""


_LOCK = "SELECT pg_advisory_xact_lock(hashtext('wrtn_prices'))"


Place = tuple[str, datetime, int]
"""Where an entry stands in the list: its model, from when it counts, and its sequence."""


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
        async with (await self._snapshot.driver()).cursor() as cursor, cursor.copy(_COPY) as copy:
            for each in added:
                await copy.write_row((*_columns(_entry(clock.new_id(), each)), source, now))

    async def note_unpriced(self, names: Iterable[str]) -> list[str]:
        """Notes models without a price; answers those that were not noted before."""
        values = (self._snapshot.now, sorted(names))
        cursor = await (await self._snapshot.driver()).execute(_NOTE_UNPRICED, values)
        return [row[0] for row in await cursor.fetchall()]

    async def add_own(self, price: Price) -> bool:
        """Adds a price of our own; False if another one of the model counts at any time between."""
        row = (*_columns(price), OWN, self._snapshot.now)
        return (await (await self._snapshot.driver()).execute(_ADD_OWN, row)).rowcount == 1

    async def end_own(self, price_id: UUID, end: datetime) -> bool:
        """Ends a price of our own, earlier than it would; False if it cannot be."""
        values = {"id": price_id, "end": end}
        return (await (await self._snapshot.driver()).execute(_END, values)).rowcount == 1

    async def get(self, price_id: UUID) -> models.Price | None:
        """Answers the entry as it stands now."""
        return await self._snapshot.session.get(models.Price, price_id, populate_existing=True)

    async def page(self, keys: Sequence[str], after: Place | None, size: int) -> Sequence[models.Price]:
        """Answers entries by model, the newest first; only those of `keys` if there are any."""
        entry = models.Price
        query = select(entry).order_by(entry.model, entry.effective_time.desc(), entry.sequence.desc())
        if keys:
            query = query.where(entry.model.in_(keys))
        if after is not None:
            model, effective, sequence = after
            older = tuple_(entry.effective_time, entry.sequence) < tuple_(effective, sequence)
            query = query.where((entry.model > model) | ((entry.model == model) & older))
        return (await self._snapshot.session.scalars(query.limit(size))).all()


def _entry(price_id: UUID, added: Addition) -> Price:
    return Price(price_id, added.model, added.effective_time, added.revision, CURRENCY, added.schedule)


def _columns(price: Price) -> tuple[object, ...]:
    """Answers the columns of _PRICE."""
    schedule = price.schedule
    return (
        price.id,
        price.model,
        price.effective_time,
        price.revision,
        price.currency,
        price.own,
        price.end_time,
        *schedule.terms.base,
        Jsonb(_tiers(schedule.terms)),
        Jsonb(
            [
                {
                    "start": window.start.isoformat(),
                    "end": window.end.isoformat(),
                    "base": write_rates(window.terms.base),
                    "tiers": _tiers(window.terms),
                }
                for window in schedule.windows
            ]
        ),
    )


def _tiers(terms: Terms) -> list[dict[str, object]]:
    return [{"above": tier.above, "rates": write_rates(tier.rates)} for tier in terms.tiers]


def _price(row: Sequence[Any]) -> Price:
    id_, model, effective_time, revision, currency, own, end_time, *rates, tiers, windows = row
    terms = Terms(Rates(*rates), read_tiers(tiers))
    return Price(
        id_, model, effective_time, revision, currency, Schedule(terms, read_windows(windows)), own, end_time
    )


def read_windows(windows: Sequence[Any]) -> tuple[Window, ...]:
    """Reads the column `windows`."""
    return tuple(
        Window(
            time.fromisoformat(window["start"]),
            time.fromisoformat(window["end"]),
            Terms(read_rates(window["base"]), read_tiers(window["tiers"])),
        )
        for window in windows
    )


def read_tiers(tiers: Sequence[Any]) -> tuple[Tier, ...]:
    """Reads the column `tiers`."""
    return tuple(Tier(tier["above"], read_rates(tier["rates"])) for tier in tiers)


def read_rates(texts: Sequence[str | None]) -> Rates:
    """Reads rates as they stand in JSON; entries of before there were more kinds name three."""
    return Rates(*(Decimal(each) if each is not None else None for each in texts))  # type: ignore[arg-type]


def write_rates(rates: Rates) -> list[str | None]:
    """Answers rates as they stand in JSON."""
    return [str(each) if each is not None else None for each in rates]
