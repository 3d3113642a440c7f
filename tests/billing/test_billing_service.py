"""Billing served for real: usages arrive over NATS, costs are asked for over gRPC."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import grpc
import pytest
import pytest_asyncio

from chassis.database import Scope
from chassis.events import dead_letters
from chassis.events.consumer import Consumer
from chassis.events.envelope import Event
from chassis.events.runner import Runner
from chassis.service import Running
from chassis.testing.callers import Callers, Known
from chassis.testing.databases import DatabaseFactory, ServiceDatabase
from chassis.testing.serving import Serve
from chassis.testing.tables import assert_models_match_migrations, assert_tables_guarded
from chassis.testing.waiting import until
from services.billing import models
from services.billing.main import wire
from services.billing.settings import BillingSettings
from tests.billing.make import know, of_day
from tests.usage import NEW, Person, holding, publish, recorded, shuffled_thrice, tokens, usage
from wrtn.access.v1.access_pb2 import Role, StaffRight, Title
from wrtn.billing.v1 import costs_pb2, prices_pb2
from wrtn.billing.v1.costs_pb2_grpc import CostServiceStub
from wrtn.billing.v1.events_pb2 import UsageRated
from wrtn.billing.v1.prices_pb2_grpc import PriceServiceStub
from wrtn.sessions.v1.events_pb2 import UsageRecorded

if TYPE_CHECKING:
    from wrtn.billing.v1.costs_pb2_grpc import CostServiceAsyncStub
    from wrtn.billing.v1.prices_pb2_grpc import PriceServiceAsyncStub


@dataclass
class World:
    """A running billing service."""

    running: Running[BillingSettings]
    database: ServiceDatabase
    costs: CostServiceAsyncStub
    prices: PriceServiceAsyncStub
    callers: Callers

    async def used(self, *messages: UsageRecorded, times: int = 1) -> None:
        """Publishes usages and waits until they are rated."""
        events = list(map(recorded, messages))
        await know(self.database, {event.tenant_id for event in events if event.tenant_id is not None})
        await publish(self.running.runtime.bus, "sessions", shuffled_thrice(events) if times == 3 else events)
        await self.rated(messages)

    async def rated(self, messages: tuple[UsageRecorded, ...] | list[UsageRecorded]) -> None:
        """Waits until these usages are rated."""
        tenants = {UUID(message.attribution.tenant_id) for message in messages}
        wanted = [UUID(message.history_id) for message in messages]

        async def all_there() -> bool:
            async with self.database.app.snapshot(Scope(frozenset(tenants))) as snapshot:
                query = "SELECT count(*) FROM wrtn_usages WHERE history_id = ANY (%s)"
                cursor = await (await snapshot.driver()).execute(query, (wanted,))
                return bool((await cursor.fetchall())[0][0] == len(wanted))

        await until(all_there)

    async def query(
        self,
        known: Known,
        group: costs_pb2.CostGroup.ValueType = costs_pb2.COST_GROUP_UNSPECIFIED,
        team: object = "",
    ) -> costs_pb2.QueryCostsResponse:
        """Asks for the costs of the caller's enterprise."""
        request = costs_pb2.QueryCostsRequest(
            enterprise_id=str(known.enterprise_id), group_by=group, team_id=str(team)
        )
        return await self.costs.QueryCosts(request, metadata=known.metadata)

    async def of_account(
        self,
        known: Known,
        account_id: UUID,
        group: costs_pb2.CostGroup.ValueType = costs_pb2.COST_GROUP_UNSPECIFIED,
    ) -> costs_pb2.QueryCostsResponse:
        """Asks for the costs of an account."""
        request = costs_pb2.QueryAccountCostsRequest(account_id=str(account_id), group_by=group)
        return await self.costs.QueryAccountCosts(request, metadata=known.metadata)


@pytest_asyncio.fixture
async def world(database: DatabaseFactory, serve: Serve, callers: Callers) -> AsyncIterator[World]:
    """The running service on a fresh database."""
    made = await database("billing")
    running = await serve("billing", BillingSettings, wire, database=made)
    async with running.channel() as channel:
        yield World(running, made, CostServiceStub(channel), PriceServiceStub(channel), callers)


async def refused(code: grpc.StatusCode, call: object) -> str:
    """Answers the details of the refusal."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call  # type: ignore[misc]
    assert error.value.code() is code
    return error.value.details() or ""


async def test_tables_are_guarded_and_models_match(database: DatabaseFactory) -> None:
    made = await database("billing")
    assert_tables_guarded(made)
    assert_models_match_migrations(made, models.Base.metadata)


async def test_usages_delivered_thrice_and_shuffled_are_billed_once_and_told_once(world: World) -> None:
    enterprise, team = NEW(), NEW()
    owner = world.callers.employee(enterprise, Title.TITLE_OWNER)
    people = [Person(enterprise, (team,)), Person(enterprise)]
    messages = [usage(people[n % 2], tokens(1000, 250, 100), at=of_day(3, n % 24)) for n in range(60)]
    told: list[Event[UsageRated]] = []

    async def hear(_: object, events: object) -> None:
        told.extend(events)  # type: ignore[arg-type]

    listener = Runner(
        world.database.app,
        world.running.runtime.bus,
        "listener",
        Consumer("listener", "billing", {UsageRated: hear}),
    )
    await listener.start()
    try:
        await world.used(*messages, times=3)

        async def all_told() -> bool:
            return len(told) >= 60

        await until(all_told)
    finally:
        await listener.stop()
    # 750 * 2 + 250 * 0.5 + 100 * 8 dollars a million: 0.002425 each.
    answer = await world.query(owner, costs_pb2.COST_GROUP_TEAM)
    assert (answer.currency, answer.total.cost, answer.total.usage_count) == ("USD", "0.1455", 60)
    assert (answer.charge_currency, answer.total.charge) == ("USD", "0.1455")
    assert [(row.key, row.cost) for row in answer.rows] == [(str(team), "0.07275")]
    assert len(told) == 60
    assert {event.message.history_id for event in told} == {message.history_id for message in messages}
    assert {event.message.cost for event in told} == {event.message.charge for event in told} == {"0.002425"}
    assert all(event.tenant_id == enterprise and event.message.price_id for event in told)
    assert told[0].message.attribution in [person.attribution() for person in people]


async def test_a_poisoned_usage_stops_only_itself(world: World) -> None:
    person = Person(NEW())
    good = [usage(person) for _ in range(20)]
    bad = usage(person)
    bad.attribution.account_id = "nobody"
    await know(world.database, [person.tenant_id])
    events = [*map(recorded, good[:10]), recorded(bad), *map(recorded, good[10:])]
    await publish(world.running.runtime.bus, "sessions", events)
    await world.rated(good)

    async def letters() -> list[dead_letters.Letter]:
        async with world.database.app.snapshot(Scope()) as snapshot:
            return await dead_letters.letters(await snapshot.driver(), "usages", dead_letters.State.DEAD)

    async def dead() -> bool:
        return bool(await letters())

    await until(dead, 40)
    assert [letter.event_id for letter in await letters()] == [events[10].id]


async def test_the_ledger_is_listed_in_its_order_page_by_page(world: World) -> None:
    enterprise = NEW()
    owner = world.callers.employee(enterprise, Title.TITLE_OWNER)
    for _ in range(3):
        await world.used(usage(Person(enterprise), tokens(1000, 0, 0)))
    entries: list[costs_pb2.LedgerEntry] = []
    token = ""
    for _ in range(3):
        request = costs_pb2.ListLedgerEntriesRequest(
            enterprise_id=str(enterprise), page_size=2, page_token=token
        )
        page = await world.costs.ListLedgerEntries(request, metadata=owner.metadata)
        entries += page.ledger_entries
        token = page.next_page_token
    assert not token
    assert [entry.sequence for entry in entries] == [1, 2, 3, 4, 5, 6]
    assert [entry.amount for entry in entries] == ["0.002", "-0.002"] * 3
    assert [entry.balance for entry in entries[::2]] == ["0.002", "0.004", "0.006"]
    assert sum(Decimal(entry.amount) for entry in entries) == 0
    assert entries[0].posting_id == entries[1].posting_id


async def test_managers_ask_for_any_account_of_their_enterprise_and_members_for_their_own(
    world: World,
) -> None:
    enterprise = NEW()
    manager = world.callers.employee(enterprise, Title.TITLE_MANAGER)
    member = world.callers.employee(enterprise, Title.TITLE_MEMBER)
    gone, stranger = Person(enterprise), Person(NEW())
    mine = holding(world.callers, member)
    await world.used(usage(mine), usage(gone), usage(stranger))
    for known, account in (
        (member, member.account_id),
        (manager, member.account_id),
        (manager, gone.account_id),
        (manager, manager.account_id),
    ):
        answer = await world.of_account(known, account)
        assert answer.total.usage_count == (account != manager.account_id)
    foreign = [
        await refused(grpc.StatusCode.NOT_FOUND, world.of_account(known, account))
        for known, account in (
            (member, manager.account_id),
            (member, gone.account_id),
            (member, NEW()),
            (manager, stranger.account_id),
            (manager, NEW()),
        )
    ]
    assert len(set(foreign)) == 1


async def test_what_was_used_before_a_transfer_stays_with_who_held_the_account(world: World) -> None:
    enterprise, team = NEW(), NEW()
    owner = world.callers.employee(enterprise, Title.TITLE_OWNER)
    manager = world.callers.employee(enterprise, Title.TITLE_MANAGER)
    old = world.callers.employee(enterprise, Title.TITLE_MEMBER)
    new = world.callers.employee(enterprise, Title.TITLE_MEMBER)
    account = NEW()
    heir = world.callers.inherited(new, account)
    before = [
        usage(holding(world.callers, old, account, team), tokens(1000, 0, 0), at=of_day(n)) for n in (3, 4)
    ]
    after = usage(holding(world.callers, new, account, team), tokens(500, 0, 0), at=of_day(4, 13))
    apart = usage(holding(world.callers, old), tokens(4000, 0, 0))
    await world.used(*before, after, apart, times=3)
    # The account is the new holder's, and its past is not.
    assert (await world.of_account(heir, account)).total.cost == "0.001"
    assert (await world.of_account(old, account)).total.cost == "0.004"
    by_member = costs_pb2.COST_GROUP_MEMBER
    assert [row.key for row in (await world.of_account(heir, account, by_member)).rows] == [
        str(new.member_id)
    ]
    for known in (manager, owner):
        answer = await world.of_account(known, account, by_member)
        assert answer.total.cost == "0.005"
        assert {row.key: row.cost for row in answer.rows} == {
            str(old.member_id): "0.004",
            str(new.member_id): "0.001",
        }
    # Person, team, enterprise and ledger are one and the same.
    whole = await world.query(owner, by_member)
    assert {row.key: row.cost for row in whole.rows} == {
        str(old.member_id): "0.012",
        str(new.member_id): "0.001",
    }
    teams = await world.query(owner, costs_pb2.COST_GROUP_TEAM)
    assert [(row.key, row.cost) for row in teams.rows] == [(str(team), "0.005")]
    assert whole.total.cost == "0.013"
    request = costs_pb2.ListLedgerEntriesRequest(enterprise_id=str(enterprise), page_size=200)
    ledger = await world.costs.ListLedgerEntries(request, metadata=owner.metadata)
    owed = [entry.balance for entry in ledger.ledger_entries if entry.ledger_account == "receivable"]
    assert owed[-1] == "0.013"


async def test_who_gave_a_personal_account_away_sees_their_own_time_and_the_new_holder_theirs(
    world: World,
) -> None:
    old, new, stranger = (world.callers.member() for _ in range(3))
    account = NEW()
    for known, used in ((old, 1000), (new, 3000)):
        person = Person(account, account_id=account, member_id=known.member_id, employee_id=None)
        await world.used(usage(person, tokens(used, 0, 0)))
    assert (await world.of_account(old, account)).total.cost == "0.002"
    assert (await world.of_account(world.callers.inherited(new, account), account)).total.cost == "0.006"
    await refused(grpc.StatusCode.NOT_FOUND, world.of_account(stranger, account))


async def test_who_works_there_no_more_sees_nothing_of_the_enterprise(world: World) -> None:
    enterprise = NEW()
    gone, elsewhere = world.callers.employee(enterprise, Title.TITLE_MEMBER), world.callers.member()
    person = Person(enterprise, account_id=gone.account_id, member_id=elsewhere.member_id)
    await world.used(usage(person))
    await refused(grpc.StatusCode.NOT_FOUND, world.of_account(elsewhere, gone.account_id))


async def test_the_costs_of_a_personal_account_are_its_holders(world: World) -> None:
    known = world.callers.member()
    await world.used(usage(holding(world.callers, known), tokens(1000, 0, 0)))
    assert (await world.of_account(known, known.account_id)).total.cost == "0.002"
    other = world.callers.member()
    await refused(grpc.StatusCode.NOT_FOUND, world.of_account(other, known.account_id))


async def test_a_team_manager_sees_the_team_and_what_lies_below_and_no_other(world: World) -> None:
    enterprise = NEW()
    top = world.callers.team(enterprise)
    low = world.callers.team(enterprise, top)
    other = world.callers.team(enterprise)
    chief = world.callers.employee(enterprise, Title.TITLE_MEMBER, {top: Role.ROLE_MANAGER})
    await world.used(usage(Person(enterprise, (low, top))), usage(Person(enterprise, (other,))))
    assert (await world.query(chief, team=top)).total.usage_count == 1
    below = await world.query(chief, costs_pb2.COST_GROUP_TEAM, team=low)
    assert [row.key for row in below.rows] == [str(low)]
    await refused(grpc.StatusCode.PERMISSION_DENIED, world.query(chief, team=other))
    await refused(grpc.StatusCode.PERMISSION_DENIED, world.query(chief))


async def test_a_team_that_never_was_is_not_found_and_one_that_is_gone_is(world: World) -> None:
    enterprise, gone = NEW(), NEW()
    owner = world.callers.employee(enterprise, Title.TITLE_OWNER)
    unused = world.callers.team(enterprise)
    await world.used(usage(Person(enterprise, (gone,))), usage(Person(NEW(), (foreign := NEW(),))))
    assert (await world.query(owner, team=gone)).total.usage_count == 1
    assert (await world.query(owner, team=unused)).total.usage_count == 0
    for team in (foreign, NEW()):
        assert await refused(grpc.StatusCode.NOT_FOUND, world.query(owner, team=team))


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (of_day(5), of_day(5)),
        (of_day(6), of_day(5)),
        (datetime.max.replace(tzinfo=UTC), None),
        (None, datetime.min.replace(tzinfo=UTC)),
    ],
)
async def test_times_that_are_no_range_are_refused(
    world: World, start: datetime | None, end: datetime | None
) -> None:
    owner = world.callers.employee(NEW(), Title.TITLE_OWNER)
    request = costs_pb2.QueryCostsRequest(enterprise_id=str(owner.enterprise_id))
    if start:
        request.start_time.FromDatetime(start)
    if end:
        request.end_time.FromDatetime(end)
    await refused(grpc.StatusCode.INVALID_ARGUMENT, world.costs.QueryCosts(request, metadata=owner.metadata))


async def test_prices_are_listed_by_model_page_by_page(world: World) -> None:
    known, token = world.callers.member(), ""
    entries: list[prices_pb2.Price] = []
    while True:
        request = prices_pb2.ListPricesRequest(page_size=200, page_token=token)
        page = await world.prices.ListPrices(request, metadata=known.metadata)
        entries += page.prices
        token = page.next_page_token
        if not token:
            break
    keys = [(entry.model, -entry.effective_time.seconds) for entry in entries]
    assert len(entries) > 2000
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("cursor", [[], ["x"], ["x", "y", "z"], ["1", "2", "3", "4"]])
async def test_a_forged_place_in_a_page_token_is_refused(world: World, cursor: list[str]) -> None:
    tenant = NEW()
    owner = world.callers.employee(tenant, Title.TITLE_OWNER)
    await world.used(*(usage(Person(tenant), tokens(1, 0, 0)) for _ in range(2)))
    priced = prices_pb2.ListPricesRequest(page_size=1)
    booked = costs_pb2.ListLedgerEntriesRequest(enterprise_id=str(tenant), page_size=1)
    lists: list[tuple[Any, Any]] = [
        (world.prices.ListPrices, priced),
        (world.costs.ListLedgerEntries, booked),
    ]
    for ask, request in lists:
        request.page_token = forged((await ask(request, metadata=owner.metadata)).next_page_token, cursor)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await ask(request, metadata=owner.metadata)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def forged(token: str, cursor: list[str]) -> str:
    """Puts another place into a token, and leaves its query."""
    query = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))[:12]
    return base64.urlsafe_b64encode(query + json.dumps(cursor).encode()).rstrip(b"=").decode()


async def test_the_price_of_a_model_is_found_by_its_other_names(world: World) -> None:
    moderator = world.callers.member(staff=StaffRight.STAFF_RIGHT_MODERATOR)
    request = prices_pb2.ListPricesRequest(model="openai/gpt-4.1-2025-04-14")
    page = await world.prices.ListPrices(request, metadata=moderator.metadata)
    (found,) = page.prices
    assert (found.model, found.currency) == ("openai/gpt-4.1", "USD")
    assert (found.input_per_million, found.cached_input_per_million, found.output_per_million) == (
        "2",
        "0.5",
        "8",
    )
    assert found.source.startswith("genai-prices ")
    request = prices_pb2.ListPricesRequest(model="google/gemini-2.5-pro")
    (stepped, *_) = (await world.prices.ListPrices(request, metadata=moderator.metadata)).prices
    assert [tier.from_input_tokens for tier in stepped.tiers] == [200_000]
