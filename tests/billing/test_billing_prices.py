"""The price list: imported again and again, it only grows, and what was paid stays as it was."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio
from genai_prices.types import ConditionalPrice, ModelPrice, StartDateConstraint
from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import Clock
from chassis.database import Scope
from chassis.testing.databases import DatabaseFactory, ServiceDatabase
from services.billing.pricing.price_list import NOTICE, PriceList, additions
from services.billing.pricing.price_source import EPOCH, Dated, Source
from services.billing.pricing.prices import import_prices
from services.billing.pricing.rating import Price, Rates, Schedule, Terms, Timeline
from services.billing.store import Prices
from tests.billing.make import REAL, per_million, source

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


class Still(Clock):
    """A clock that stands where the test puts it."""

    time = NOW

    def now(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Still:
    return Still()


@pytest_asyncio.fixture
async def db(database: DatabaseFactory) -> ServiceDatabase:
    return await database("billing")


async def price(db: ServiceDatabase, model: str, at: datetime, source: Source = REAL) -> Decimal | None:
    """The price of a million input tokens at this moment."""
    async with db.app.snapshot(Scope()) as snapshot:
        known = PriceList(source)
        known.add(await Prices(snapshot).newer(0))
    found = known.at(model, at)
    return found.schedule.terms.base.input if found else None


def from_day(day: date, prices: ModelPrice) -> ConditionalPrice:
    return ConditionalPrice(StartDateConstraint(day), prices=prices)


async def test_importing_again_adds_nothing(db: ServiceDatabase) -> None:
    assert await import_prices(db.app, REAL) > 2000
    assert await import_prices(db.app, REAL) == 0


async def test_importers_at_once_add_each_price_once(db: ServiceDatabase) -> None:
    added = await asyncio.gather(*(import_prices(db.app, REAL) for _ in range(3)))
    assert sorted(added)[:2] == [0, 0]


async def test_dated_prices_count_from_their_dates_and_the_first_from_the_epoch(db: ServiceDatabase) -> None:
    dated = [ConditionalPrice(prices=per_million("1")), from_day(date(2026, 3, 1), per_million("2"))]
    assert await import_prices(db.app, source("v1", m=dated)) == 2
    assert await price(db, "test/m", EPOCH) == 1
    assert await price(db, "test/m", datetime(2026, 2, 28, 23, 59, 59, 999999, UTC)) == 1
    assert await price(db, "test/m", datetime(2026, 3, 1, tzinfo=UTC)) == 2


async def test_a_changed_price_counts_after_a_notice_and_never_before(
    db: ServiceDatabase, clock: Still
) -> None:
    await import_prices(db.app, source("v1", m=per_million("1"), same=per_million("5")))
    clock.time = NOW + timedelta(days=10)
    assert await import_prices(db.app, source("v2", m=per_million("3"), same=per_million("5.0"))) == 1
    change = clock.time + NOTICE
    assert await price(db, "test/m", change - timedelta(microseconds=1)) == 1
    assert await price(db, "test/m", change) == 3


async def test_a_new_version_does_not_rewrite_the_past_by_an_old_date(db: ServiceDatabase) -> None:
    await import_prices(db.app, source("v1", m=per_million("1")))
    dated = [ConditionalPrice(prices=per_million("1")), from_day(date(2026, 3, 1), per_million("2"))]
    assert await import_prices(db.app, source("v2", m=dated)) == 1
    assert await price(db, "test/m", NOW) == 1
    assert await price(db, "test/m", NOW + NOTICE) == 2


async def test_an_announced_price_can_be_announced_anew(db: ServiceDatabase) -> None:
    def announced(day: date, read: str) -> Source:
        return source(read, m=[ConditionalPrice(prices=per_million("1")), from_day(day, per_million(read))])

    await import_prices(db.app, announced(date(2027, 1, 1), "2"))
    assert await import_prices(db.app, announced(date(2027, 1, 1), "3")) == 1
    assert await price(db, "test/m", datetime(2027, 1, 1, tzinfo=UTC)) == 3
    assert await import_prices(db.app, announced(date(2027, 2, 1), "3")) == 2
    assert await price(db, "test/m", datetime(2027, 1, 31, tzinfo=UTC)) == 1
    assert await price(db, "test/m", datetime(2027, 2, 1, tzinfo=UTC)) == 3


async def test_a_model_that_the_source_drops_keeps_its_price(db: ServiceDatabase) -> None:
    await import_prices(db.app, source("v1", m=per_million("1")))
    assert await import_prices(db.app, source("v2", other=per_million("1"))) == 1
    assert await price(db, "test/m", NOW + timedelta(days=365)) == 1


async def test_steps_and_times_of_day_come_back_from_the_table_as_they_went_in(db: ServiceDatabase) -> None:
    await import_prices(db.app, REAL)
    async with db.app.snapshot(Scope()) as snapshot:
        kept: dict[str, list[Dated]] = {}
        for _, entry in await Prices(snapshot).newer(0):
            kept.setdefault(entry.model, []).append((entry.effective_time, entry.schedule))
    assert kept == REAL.timelines


@pytest.mark.parametrize("change", ["UPDATE wrtn_prices SET currency = 'EUR'", "DELETE FROM wrtn_prices"])
async def test_the_database_refuses_to_change_a_price(db: ServiceDatabase, change: str) -> None:
    await import_prices(db.app, source("v1", m=per_million("1")))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with db.app.transaction(Scope()) as tx:
            await (await tx.driver()).execute(change)


SCHEDULES = st.integers(0, 3).map(lambda rate: Schedule(Terms(Rates(*[Decimal(rate)] * 3))))
DAYS = st.integers(-3, 6).map(lambda days: NOW + timedelta(days=days))
LISTS = st.dictionaries(DAYS, SCHEDULES, max_size=4).flatmap(
    lambda later: SCHEDULES.map(
        lambda first: sorted({EPOCH: first, **later}.items(), key=lambda dated: dated[0])
    )
)


@given(st.lists(LISTS, min_size=1, max_size=5))
def test_after_each_import_the_future_is_the_sources_and_the_past_unchanged(
    versions: list[list[Dated]],
) -> None:
    kept: list[Price] = []
    timeline = Timeline()
    for number, wanted in enumerate(versions):
        now = NOW + timedelta(hours=number * 12)
        before = [timeline.at(now + NOTICE - timedelta(minutes=minutes)) for minutes in range(1, 9999, 77)]
        for each in additions("m", kept, wanted, now):
            entry = Price(UUID(int=len(kept)), "m", each.effective_time, each.revision, "USD", each.schedule)
            kept.append(entry)
            timeline.add(entry)
        after = [timeline.at(now + NOTICE - timedelta(minutes=minutes)) for minutes in range(1, 9999, 77)]
        assert number == 0 or before == after
        for hours in range(0, 300, 6):
            moment = now + NOTICE + timedelta(hours=hours)
            found = timeline.at(moment)
            assert found
            assert found.schedule == [schedule for start, schedule in wanted if start <= moment][-1]
        assert not additions("m", kept, wanted, now)
