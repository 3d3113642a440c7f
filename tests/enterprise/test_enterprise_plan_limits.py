"""What a plan limits, as billing tells, is refused above it; what is there already stays."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import grpc

from chassis.database import Scope
from chassis.events.envelope import Event
from chassis.testing.waiting import until
from gateway.app import Gateway
from tests.enterprise import scim
from tests.enterprise.make import Worker, World, refused
from tests.enterprise.test_enterprise_imports import rows, run
from tests.enterprise.test_enterprise_invitations import accept, invite, mine, owner_of
from tests.usage import NEW, NOON, publish
from wrtn.access.v1.access_pb2 import TITLE_MEMBER
from wrtn.billing.v1.events_pb2 import SubscriptionChanged
from wrtn.billing.v1.plans_pb2 import PlanLimits
from wrtn.enterprise.v1.employees_pb2 import HireEmployeeRequest
from wrtn.enterprise.v1.imports_pb2 import ImportRow

FULL = (grpc.StatusCode.RESOURCE_EXHAUSTED, "PLAN_LIMIT_REACHED")


async def told(world: World, by: Worker, version: int, start: int = 1, **limits: int) -> None:
    """Publishes limits as billing does."""
    tenant_id, fact = UUID(by.enterprise_id), SubscriptionChanged(limits=PlanLimits(**limits))
    fact.start_time.FromSeconds(start)
    event = Event(NEW(), NOON, tenant_id, NEW(), version, fact)
    await publish(world.running.runtime.bus, "billing", [event])


async def limited(world: World, by: Worker, version: int, start: int = 1, **limits: int) -> None:
    """Publishes limits and waits until they are known."""
    await told(world, by, version, start, **limits)
    wanted = (limits.get("employees", 0), limits.get("teams", 0), version, datetime.fromtimestamp(start, UTC))
    await until(lambda: _is(known(world, by), [wanted]))


async def known(world: World, by: Worker) -> list[tuple[Any, ...]]:
    """Answers what is known of the limits."""
    async with world.database.app.snapshot(Scope.of(UUID(by.enterprise_id))) as snapshot:
        query = "SELECT employees, teams, version, start_time FROM wrtn_plan_limits"
        return await (await (await snapshot.driver()).execute(query)).fetchall()


async def _is(found: Awaitable[object], wanted: object) -> bool:
    return await found == wanted


async def race(*calls: Awaitable[object]) -> list[str]:
    """Answers what becomes of calls that are made at once, in the order of their names."""
    answers = await asyncio.gather(*calls, return_exceptions=True)
    return sorted(type(each).__name__ for each in answers)


async def test_nobody_is_employed_above_the_limit_and_nobody_goes_when_it_sinks(world: World) -> None:
    owner, other = await world.owner(), await world.owner()
    await limited(world, owner, 1, employees=3)
    first = await world.hire(owner)
    assert await race(world.hire(owner), world.hire(owner)) == ["AioRpcError", "Worker"]
    assert await refused(world.hire(owner)) == FULL
    # What is told again, late, or of an earlier subscription, changes nothing.
    await limited(world, owner, 3, employees=2, start=5)
    for version, start in ((3, 5), (2, 5), (9, 4)):
        await told(world, owner, version, start, employees=50)
    await limited(world, other, 1, employees=1)
    assert [row[:3] for row in await known(world, owner)] == [(2, 0, 3)]
    assert (await world.resolve(first)).title > 0
    await world.dismiss(owner, first)
    again = HireEmployeeRequest(
        enterprise_id=owner.enterprise_id, member_id=str(first.person.member_id), title=TITLE_MEMBER
    )
    assert await refused(world.employees.HireEmployee(again, metadata=owner.metadata)) == FULL
    assert await refused(world.hire(other)) == FULL
    # Another subscription, which started later, has no limit.
    await limited(world, owner, 1, start=6)
    assert (await world.employees.HireEmployee(again, metadata=owner.metadata)).id == first.employee_id


async def test_invitations_and_imports_go_as_far_as_the_plan_has_room(world: World) -> None:
    owner = await world.owner()
    emails = [f"{name}@{owner.enterprise_id}.example" for name in ("a", "b")]
    people = [owner_of(world, email) for email in emails]
    await limited(world, owner, 1, employees=3, teams=1)
    for email in emails:
        await invite(world, owner, email)
    assert await refused(invite(world, owner, "c@acme.example")) == FULL
    await world.hire(owner)
    open_to = [(await mine(world, person))[0] for person in people]
    await accept(world, people[0], ref=open_to[0])
    assert await refused(accept(world, people[1], ref=open_to[1])) == FULL
    await limited(world, owner, 2, employees=5, teams=1)
    assert (await accept(world, people[1], ref=open_to[1])).employee_id
    text = "email,team\nd@acme.example,Sales/EMEA\ne@acme.example,Sales\nf@acme.example,\n"
    imported = await rows(world, owner, await run(world, owner, text))
    failed = (ImportRow.OUTCOME_FAILED, FULL[1])
    assert [(each.outcome, each.reason) for each in imported] == [
        failed,
        (ImportRow.OUTCOME_INVITED, ""),
        failed,
    ]


async def test_teams_and_what_a_directory_provisions_are_limited_too(world: World, app: Gateway) -> None:
    owner = await world.owner()
    await scim.prove(world, owner)
    await limited(world, owner, 1, employees=2, teams=2)
    top = await world.team(owner)
    assert await race(world.team(owner, top), world.team(owner)) == ["AioRpcError", "str"]
    await world.archive(owner, top)
    left = 2 - len(await world.children(owner))
    for _ in range(left):
        await world.team(owner)
    assert await refused(world.restore(owner, top)) == FULL
    key = world.identity.enterprise_key(owner.enterprise_id, "scim.provision")
    async with scim.calling(app, key) as http:
        directory = scim.Directory(world, owner, app, http, key)
        await directory.user("mina")
        for path, body in (
            ("/Users", scim.user("lena")),
            ("/Groups", {"schemas": [scim.GROUP], "displayName": "Sales"}),
        ):
            answer = await directory.call("POST", path, body)
            assert scim.refusal(answer) == (403, None)
            assert "The plan allows 2" in answer.json()["detail"]
    await limited(world, owner, 2, employees=2, teams=4)
    assert not (await world.restore(owner, top)).HasField("archive_time")
