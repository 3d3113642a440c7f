"""Analytics served for real: usages and costs arrive over NATS, usage is asked for over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING
from uuid import UUID

import grpc
import psycopg
import pytest
import pytest_asyncio

from chassis.clock import Clock
from chassis.database import Scope
from chassis.database.roles import connect
from chassis.embedded.nats import Nats
from chassis.events import dead_letters
from chassis.events.envelope import Event
from chassis.service import Running
from chassis.settings import ServiceSettings
from chassis.testing.brokers import emptied
from chassis.testing.callers import Callers, Known
from chassis.testing.databases import ServiceDatabase, Templates, databases
from chassis.testing.serving import starting
from chassis.testing.tables import assert_models_match_migrations, assert_tables_guarded
from chassis.testing.waiting import until
from services.analytics import models
from services.analytics.main import wire
from tests.analytics.make import Analytics, day, rated
from tests.usage import NEW, Person, holding, publish, recorded, tokens, usage
from wrtn.access.v1.access_pb2 import Role, Title
from wrtn.analytics.v1 import usage_pb2
from wrtn.analytics.v1.usage_pb2 import QueryAccountUsageRequest, QueryUsageRequest, QueryUsageResponse
from wrtn.analytics.v1.usage_pb2_grpc import UsageServiceStub
from wrtn.identity.v1.events_pb2 import AccountTransferred
from wrtn.sessions.v1.events_pb2 import UsageRecorded

if TYPE_CHECKING:
    from wrtn.analytics.v1.usage_pb2_grpc import UsageServiceAsyncStub

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class World:
    """A running analytics service."""

    running: Running[ServiceSettings]
    database: ServiceDatabase
    usage: UsageServiceAsyncStub
    callers: Callers

    async def used(
        self, messages: Sequence[UsageRecorded], cost: Decimal = Decimal("0.00125"), *, times: int = 1
    ) -> None:
        """Publishes usages and costs, each so many times in any order, and waits until all are counted."""
        bus = self.running.runtime.bus
        told = [recorded(message) for message in messages for _ in range(times)]
        costs = [rated(event, cost) for event in told]
        Random(1).shuffle(told)
        Random(2).shuffle(costs)
        await publish(bus, "billing", costs)
        await publish(bus, "sessions", told)
        await self.counted(messages, 2)

    async def counted(self, messages: Sequence[UsageRecorded], times: int) -> None:
        """Waits until each usage was counted so many times: of its tokens, and of its cost."""
        tenants = frozenset(UUID(message.attribution.tenant_id) for message in messages)
        ids = [UUID(message.history_id) for message in messages]

        async def all_there() -> bool:
            async with self.database.app.snapshot(Scope(tenants)) as snapshot:
                cursor = await (await snapshot.driver()).execute(
                    "SELECT count(*) FROM wrtn_counted_usages WHERE history_id = ANY (%s)", (ids,)
                )
                return bool((await cursor.fetchall())[0][0] >= times * len(messages))

        await until(all_there)

    async def query(self, known: Known, team: object = "", **fields: object) -> QueryUsageResponse:
        """Asks for the usage of the caller's enterprise in November 2026."""
        request = QueryUsageRequest(
            enterprise_id=str(known.enterprise_id),
            team_id=str(team),
            **fields,  # type: ignore[arg-type]
        )
        request.start_time.FromDatetime(day(1))
        request.end_time.FromDatetime(day(30))
        return await self.usage.QueryUsage(request, metadata=known.metadata)

    async def of_account(self, known: Known, account_id: UUID, **fields: object) -> QueryUsageResponse:
        """Asks for the usage of an account in November 2026."""
        request = QueryAccountUsageRequest(account_id=str(account_id), **fields)  # type: ignore[arg-type]
        request.start_time.FromDatetime(day(1))
        request.end_time.FromDatetime(day(30))
        return await self.usage.QueryAccountUsage(request, metadata=known.metadata)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(templates: Templates, nats_server: Nats, peer_keys: Path) -> AsyncIterator[World]:
    """The running service, shared by the tests: each has tenants of its own."""
    clock = Clock()
    callers = Callers(clock, peer_keys)
    async with (
        databases(templates, clock) as database,
        emptied(nats_server) as broker,
        starting(database, broker, callers) as serve,
    ):
        made = await database("analytics")
        running = await serve("analytics", ServiceSettings, wire, database=made)
        async with running.channel() as channel:
            yield World(running, made, UsageServiceStub(channel), callers)


async def refused(code: grpc.StatusCode, call: object) -> str:
    """Answers the details of the refusal."""
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call  # type: ignore[misc]
    assert error.value.code() is code
    return error.value.details() or ""


async def test_tables_are_guarded_and_models_match(world: World) -> None:
    assert_tables_guarded(world.database)
    assert_models_match_migrations(world.database, models.Base.metadata)


async def test_usages_and_costs_delivered_thrice_and_shuffled_count_once(world: World) -> None:
    enterprise, team, above = NEW(), NEW(), NEW()
    owner = world.callers.employee(enterprise, Title.TITLE_OWNER)
    people = [Person(enterprise, (team, above)), Person(enterprise, (above,))]
    messages = [
        usage(people[n % 2], tokens(1000, 250, 100, 40, 30, 20), at=day(3, n % 24)) for n in range(60)
    ]
    await world.used(messages, times=3)
    answer = await world.query(owner, group_by=usage_pb2.USAGE_GROUP_TEAM)
    total = answer.total
    assert (total.usage_count, total.rated_count, total.cost) == (60, 60, "0.075")
    assert total.tokens == tokens(60_000, 15_000, 6_000, 2_400, 1_800, 1_200)
    assert {row.key: (row.usage_count, row.cost) for row in answer.rows} == {
        str(team): (30, "0.0375"),
        str(above): (60, "0.075"),
    }


async def test_days_are_those_of_the_named_zone(world: World) -> None:
    enterprise = NEW()
    owner = world.callers.employee(enterprise, Title.TITLE_OWNER)
    person = Person(enterprise)
    await world.used([usage(person, at=at) for at in (day(3, 14, 59), day(3, 15), day(4, 14, 59))])
    answer = await world.query(owner, granularity=usage_pb2.GRANULARITY_DAY, time_zone="Asia/Seoul")
    assert [(row.start_time.ToDatetime().hour, row.usage_count) for row in answer.rows] == [(15, 1), (15, 2)]
    answer = await world.query(owner, granularity=usage_pb2.GRANULARITY_DAY)
    assert [(row.start_time.ToDatetime().day, row.usage_count) for row in answer.rows] == [(3, 2), (4, 1)]


async def test_an_answer_without_usage_has_every_part_of_the_shape(world: World) -> None:
    owner = world.callers.employee(NEW(), Title.TITLE_OWNER)
    answer = await world.query(owner)
    assert answer.total.tokens.HasField("input")
    assert answer.total.tokens.HasField("output")
    assert (answer.total.cost, answer.total.usage_count, len(answer.rows)) == ("0", 0, 0)
    assert not answer.total.HasField("start_time")


async def test_an_unknown_zone_and_a_long_time_are_refused_in_words(world: World) -> None:
    owner = world.callers.employee(NEW(), Title.TITLE_OWNER)
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    assert "IANA" in await refused(invalid, world.query(owner, time_zone="Mars/Olympus"))
    request = QueryUsageRequest(
        enterprise_id=str(owner.enterprise_id), granularity=usage_pb2.GRANULARITY_HOUR
    )
    request.start_time.FromDatetime(day(1).replace(month=1))
    assert "31 days" in await refused(invalid, world.usage.QueryUsage(request, metadata=owner.metadata))


async def test_more_rows_than_are_answered_are_said_to_be(world: World) -> None:
    enterprise = NEW()
    owner = world.callers.employee(enterprise, Title.TITLE_OWNER)
    service = Analytics(world.database)
    people = [Person(enterprise) for _ in range(1001)]
    for number in range(2, 12):
        await service.record(recorded(usage(person, at=day(number))) for person in people)
    answer = await world.query(
        owner, group_by=usage_pb2.USAGE_GROUP_ACCOUNT, granularity=usage_pb2.GRANULARITY_DAY
    )
    assert (len(answer.rows), answer.truncated, answer.total.usage_count) == (10_000, True, 10_010)


async def test_managers_ask_for_any_account_of_their_enterprise_and_members_for_their_own(
    world: World,
) -> None:
    enterprise = NEW()
    manager = world.callers.employee(enterprise, Title.TITLE_MANAGER)
    member = world.callers.employee(enterprise, Title.TITLE_MEMBER)
    gone, stranger = Person(enterprise), Person(NEW())
    mine = holding(world.callers, member)
    await world.used([usage(mine, model="a/x"), usage(mine, model="b/y"), usage(gone), usage(stranger)])
    by_model = await world.of_account(member, member.account_id, group_by=usage_pb2.USAGE_GROUP_MODEL)
    assert [row.key for row in by_model.rows] == ["a/x", "b/y"]
    assert (await world.of_account(member, member.account_id, model="a/x")).total.usage_count == 1
    assert (await world.of_account(manager, member.account_id)).total.usage_count == 2
    assert (await world.of_account(manager, gone.account_id)).total.usage_count == 1
    assert (await world.of_account(manager, manager.account_id)).total.usage_count == 0
    foreign = [
        await refused(grpc.StatusCode.NOT_FOUND, world.of_account(known, account))
        for known, account in (
            (member, manager.account_id),
            (member, gone.account_id),
            (manager, stranger.account_id),
            (manager, NEW()),
        )
    ]
    assert len(set(foreign)) == 1


async def test_what_was_used_before_a_transfer_stays_with_who_held_the_account(world: World) -> None:
    enterprise, account = NEW(), NEW()
    manager = world.callers.employee(enterprise, Title.TITLE_MANAGER)
    old = world.callers.employee(enterprise, Title.TITLE_MEMBER)
    new = world.callers.employee(enterprise, Title.TITLE_MEMBER)
    heir = world.callers.inherited(new, account)
    before, after = (holding(world.callers, known, account) for known in (old, new))
    await world.used(
        [usage(before), usage(before, at=day(4)), usage(after), usage(holding(world.callers, old))]
    )
    by_employee = usage_pb2.USAGE_GROUP_EMPLOYEE
    for known, count, person in ((heir, 1, after), (old, 2, before)):
        answer = await world.of_account(known, account, group_by=by_employee)
        assert (answer.total.usage_count, answer.total.cost) == (count, {1: "0.00125", 2: "0.0025"}[count])
        assert [row.key for row in answer.rows] == [str(person.employee_id)]
    both = {str(before.employee_id): 2, str(after.employee_id): 1}
    whole = await world.of_account(manager, account, group_by=by_employee)
    assert {row.key: row.usage_count for row in whole.rows} == both
    assert whole.total.usage_count == 3
    everything = await world.query(manager, group_by=by_employee)
    assert {row.key: row.usage_count for row in everything.rows} == both | {str(before.employee_id): 3}
    assert everything.total.usage_count == 4


async def test_who_gave_a_personal_account_away_sees_their_own_time_and_the_new_holder_theirs(
    world: World,
) -> None:
    old, new, stranger = (world.callers.member() for _ in range(3))
    account = NEW()
    for known, count in ((old, 2), (new, 1)):
        person = Person(account, account_id=account, member_id=known.member_id, employee_id=None)
        await world.used([usage(person) for _ in range(count)])
    assert (await world.of_account(old, account)).total.usage_count == 2
    heir = world.callers.inherited(new, account)
    assert (await world.of_account(heir, account)).total.usage_count == 1
    await refused(grpc.StatusCode.NOT_FOUND, world.of_account(stranger, account))


async def test_what_was_counted_before_holders_were_is_the_first_ones_who_hands_the_account_on(
    world: World,
) -> None:
    old, new = world.callers.member(), world.callers.member()
    account = old.account_id
    await world.used([usage(holding(world.callers, old), at=day(3))])
    async with world.database.app.transaction(Scope.of(account)) as tx:
        # As the version before this one counted it.
        await (await tx.driver()).execute("UPDATE wrtn_account_rollups SET employee_id = %s", (UUID(int=0),))
    await world.used([usage(holding(world.callers, old), at=day(3))])
    assert (await world.of_account(old, account)).total.usage_count == 2
    given = AccountTransferred(
        account_id=str(account),
        tenant_id=str(account),
        old_holder_member_id=str(old.member_id),
        new_holder_member_id=str(new.member_id),
    )
    event = Event(NEW(), day(4), account, account, 2, given)
    await publish(world.running.runtime.bus, "identity", [event, event])
    heir = world.callers.inherited(new, account)

    async def handed_on() -> bool:
        return (await world.of_account(heir, account)).total.usage_count == 0

    await until(handed_on)
    assert (await world.of_account(old, account)).total.usage_count == 2


async def test_a_team_manager_sees_the_team_and_what_lies_below_and_no_other(world: World) -> None:
    enterprise = NEW()
    top = world.callers.team(enterprise)
    low = world.callers.team(enterprise, top)
    other = world.callers.team(enterprise)
    chief = world.callers.employee(enterprise, Title.TITLE_MEMBER, {top: Role.ROLE_MANAGER})
    owner = world.callers.employee(enterprise, Title.TITLE_OWNER)
    foreign = Person(NEW(), (NEW(),))
    await world.used(
        [usage(Person(enterprise, (low, top))), usage(Person(enterprise, (other,))), usage(foreign)]
    )
    assert (await world.query(chief, top)).total.usage_count == 1
    below = await world.query(chief, low, group_by=usage_pb2.USAGE_GROUP_TEAM)
    assert [row.key for row in below.rows] == [str(low)]
    await refused(grpc.StatusCode.PERMISSION_DENIED, world.query(chief, other))
    await refused(grpc.StatusCode.PERMISSION_DENIED, world.query(chief))
    await refused(grpc.StatusCode.NOT_FOUND, world.query(owner, foreign.path[0]))
    await refused(grpc.StatusCode.NOT_FOUND, world.query(owner, NEW()))


def spoilt(person: Person, how: str) -> Event[UsageRecorded]:
    """An event that cannot be a usage."""
    bad = usage(person)
    if how == "tenant":
        bad.attribution.tenant_id = str(NEW())
    elif how == "history":
        bad.history_id = "none"
    elif how == "tokens":
        bad.tokens.output.total = -1
    else:
        bad.ClearField("use_time")
    return Event(NEW(), day(3), person.tenant_id, NEW(), 1, bad)


async def test_poisoned_usages_stop_only_themselves(world: World) -> None:
    person = Person(NEW())
    good = [usage(person) for _ in range(20)]
    bad = [spoilt(person, how) for how in ("tenant", "history", "tokens", "time")]
    events = [recorded(message) for message in good]
    await publish(
        world.running.runtime.bus, "sessions", [*events[:5], bad[0], *events[5:9], *bad[1:], *events[9:]]
    )
    await world.counted(good, 1)

    async def dead() -> bool:
        async with world.database.app.snapshot(Scope()) as snapshot:
            driver = await snapshot.driver()
            found = await dead_letters.letters(driver, "recorded-usages", dead_letters.State.DEAD)
            return {letter.event_id for letter in found} == {event.id for event in bad}

    await until(dead, 40)


@pytest.mark.parametrize("table", ["wrtn_counted_usages", "wrtn_team_paths"])
async def test_the_database_refuses_to_forget_what_was_counted(world: World, table: str) -> None:
    service, person = Analytics(world.database), Person(NEW(), (NEW(),))
    await service.record([recorded(usage(person))])
    with connect(service.database.urls.owner) as owner, pytest.raises(psycopg.errors.RestrictViolation):
        owner.execute(f"DELETE FROM {table}")
