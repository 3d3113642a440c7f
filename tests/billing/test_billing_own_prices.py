"""Prices of our own: set and ended by administrators, never overlapping, and never for what was rated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest
import pytest_asyncio

from chassis.audit.acts import PLATFORM
from chassis.database.roles import connect
from chassis.testing.callers import Callers
from chassis.testing.clocks import MovableClock
from chassis.testing.databases import DatabaseFactory
from chassis.testing.serving import Serve
from tests.billing.desk import MODEL, Desk, refused, served
from tests.usage import NEW, Person, tokens
from wrtn.access.v1.access_pb2 import StaffRight
from wrtn.billing.v1 import prices_pb2

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest_asyncio.fixture
async def desk(
    database: DatabaseFactory, serve: Serve, callers: Callers, clock: MovableClock
) -> AsyncIterator[Desk]:
    async with served(database, serve, callers, clock) as made:
        yield made


async def test_a_price_of_our_own_goes_before_the_imported_one_until_it_ends(desk: Desk) -> None:
    person, model, million = Person(NEW()), "openai/gpt-4.1", tokens(1_000_000, 0, 0)
    before = await desk.used(person, million, model=model)
    price = await desk.price(model, input_per_million="7")
    early = await desk.used(person, million, model=model)
    desk.clock.ahead += 3 * MINUTE
    during = await desk.used(person, million, model=model)
    ended = await desk.prices.EndPrice(
        prices_pb2.EndPriceRequest(price_id=price.id), metadata=desk.admin.metadata
    )
    assert ended.end_time.seconds > price.effective_time.seconds
    desk.clock.ahead += 2 * MINUTE
    after = await desk.used(person, million, model=model)
    assert [await desk.cost(person, each) for each in (before, early, during, after)] == [2, 2, 7, 2]
    for action in ("price.created", "price.ended"):
        assert [str(row[0]) for row in await desk.audited(PLATFORM, action)] == [price.id]
    page = await desk.prices.ListPrices(
        prices_pb2.ListPricesRequest(model=model), metadata=desk.admin.metadata
    )
    assert [(each.own, each.input_per_million) for each in page.prices] == [(True, "7"), (False, "2")]


async def test_each_kind_is_priced_for_itself_and_a_run_of_a_procedure_by_request(desk: Desk) -> None:
    person, run = Person(NEW()), f"procedure/{NEW()}"
    await desk.price(
        start=desk.now() - DAY,
        input_per_million="1",
        cached_input_per_million="0",
        output_per_million="10",
        cache_write_per_million="3",
        reasoning_per_million="100",
        per_image="0.5",
        per_second="0.25",
        tiers=[prices_pb2.PriceTier(from_input_tokens=1_000_000, input_per_million="2")],
    )
    await desk.price(run, desk.now() - DAY, per_request="0.75")
    used = tokens(1_000_000, 200_000, 20_000, 5_000)
    plain = await desk.used(person, used, cache_write_tokens=300_000, images=3, seconds=4)
    # 0.5 fresh, 0.9 written to the cache, 0.15 output, 0.5 reasoning, 1.5 images, 1 for the seconds.
    assert await desk.cost(person, plain) == Decimal("4.55")
    stepped = await desk.used(person, tokens(2_000_000, 0, 7))
    assert await desk.cost(person, stepped) == 4
    once = await desk.used(person, tokens(0, 0, 0), model=run)
    assert await desk.cost(person, once) == Decimal("0.75")
    runs = await desk.used(person, tokens(0, 0, 0), model=run, requests=4)
    assert await desk.cost(person, runs) == 3


async def test_overlapping_negative_and_backdated_prices_are_refused_and_change_nothing(desk: Desk) -> None:
    start = desk.now() + DAY
    price = await desk.price(start=start, end=start + 10 * DAY)
    for begin, end in ((start + DAY, None), (start - DAY, start + MINUTE), (start, start + 10 * DAY)):
        await refused("PRICE_OVERLAPS", desk.price(start=begin, end=end))
    made = await asyncio.gather(
        *(desk.price(start=start + 10 * DAY, end=start + 20 * DAY) for _ in range(3)), return_exceptions=True
    )
    assert sum(isinstance(each, prices_pb2.Price) for each in made) == 1
    await refused("TIME_RANGE_INVALID", desk.price(start=start + 90 * DAY, end=start + 80 * DAY))
    await refused("PRICE_BACKDATED", desk.price("openai/gpt-4.1", desk.now() - DAY))
    for wrong in ({"input_per_million": "-1"}, {"per_image": "1e9"}):
        with pytest.raises(Exception, match="INVALID_ARGUMENT"):
            await desk.price("acme/other", start, None, **wrong)
    steps = [prices_pb2.PriceTier(from_input_tokens=each) for each in (5, 5)]
    await refused("PRICE_INVALID", desk.price("acme/other", start, None, tiers=steps))
    late = prices_pb2.EndPriceRequest(price_id=price.id)
    late.end_time.FromDatetime(start + 11 * DAY)
    await refused("TIME_RANGE_INVALID", desk.prices.EndPrice(late, metadata=desk.admin.metadata))
    own = await desk.core.rows("SELECT count(*) FROM wrtn_prices WHERE own")
    assert own == [(2,)]


async def test_only_administrators_set_prices_and_the_database_alters_none(desk: Desk) -> None:
    moderator = desk.callers.member(staff=StaffRight.STAFF_RIGHT_MODERATOR)
    request = prices_pb2.CreatePriceRequest(price=prices_pb2.Price(model=MODEL))
    with pytest.raises(Exception, match="PERMISSION_DENIED"):
        await desk.prices.CreatePrice(request, metadata=moderator.metadata)
    price = await desk.price(end=desk.now() + DAY)
    imported = prices_pb2.ListPricesRequest(model="openai/gpt-4.1")
    (other, *_) = (await desk.prices.ListPrices(imported, metadata=desk.admin.metadata)).prices
    gone = prices_pb2.EndPriceRequest(price_id=other.id)
    await refused("PRICE_NOT_FOUND", desk.prices.EndPrice(gone, metadata=desk.admin.metadata))
    for change in ("end_time = end_time + interval '1 day'", "per_image = 1", "end_time = NULL"):
        with connect(desk.database.urls.owner) as owner, pytest.raises(psycopg.errors.RestrictViolation):
            owner.execute(f"UPDATE wrtn_prices SET {change} WHERE id = '{price.id}'")
