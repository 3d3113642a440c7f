"""Creating, getting and listing enterprises."""

from __future__ import annotations

import asyncio
from uuid import UUID

import grpc
import pytest

from chassis.database import Scope
from services.enterprise.store import Enterprises
from tests.enterprise.make import World, refusal
from wrtn.access.v1.access_pb2 import TITLE_OWNER, TITLE_UNSPECIFIED
from wrtn.enterprise.v1.employees_pb2 import GetEmployeeRequest, ListAppointmentsRequest
from wrtn.enterprise.v1.enterprises_pb2 import (
    CreateEnterpriseRequest,
    GetEnterpriseRequest,
    ListEnterprisesRequest,
)
from wrtn.enterprise.v1.events_pb2 import EmployeeHired, EnterpriseCreated


def slug_of(world: World) -> str:
    """Answers a slug that nobody has."""
    return f"acme-{world.clock.new_id().hex}"


async def told_of(world: World) -> int:
    """Answers how many enterprises were told of so far."""
    ((count,),) = await world.rows(
        "SELECT count(*) FROM wrtn_outbox WHERE subject LIKE '%%enterprise.created'"
    )
    return int(count)


async def test_creating_makes_the_creator_its_owner_with_an_account_that_is_open(world: World) -> None:
    person, slug = world.identity.join(), slug_of(world)
    request = CreateEnterpriseRequest(display_name="Acme", slug=slug, time_zone="Europe/Berlin")
    created = await world.enterprises.CreateEnterprise(request, metadata=world.identity.token(person))
    assert created.enterprise.slug == slug
    assert created.enterprise.time_zone == "Europe/Berlin"
    assert world.identity.opened == [created.account_id]
    owner = world.worker(person, created.enterprise.id, created.employee_id, created.account_id)
    employee = await world.employees.GetEmployee(
        GetEmployeeRequest(enterprise_id=owner.enterprise_id, employee_id=owner.employee_id),
        metadata=owner.metadata,
    )
    assert (employee.title, employee.member_id) == (TITLE_OWNER, str(person.member_id))


async def test_the_first_appointment_is_the_owners_own(world: World) -> None:
    owner = await world.owner()
    request = ListAppointmentsRequest(enterprise_id=owner.enterprise_id)
    (record,) = (await world.employees.ListAppointments(request, metadata=owner.metadata)).appointments
    assert (record.sequence, record.title_before, record.title_after) == (1, TITLE_UNSPECIFIED, TITLE_OWNER)
    assert record.employee_id == record.decider_employee_id == owner.employee_id


async def test_creating_tells_of_the_enterprise_and_of_its_owner(world: World) -> None:
    owner = await world.owner(time_zone="Asia/Tokyo")
    rows = await world.rows(
        "SELECT payload FROM wrtn_outbox"
        " WHERE subject NOT LIKE '%%.audit.recorded' AND tenant_id = %s ORDER BY id",
        owner.enterprise_id,
    )
    assert len(rows) == 2
    created, hired = EnterpriseCreated.FromString(rows[0][0]), EmployeeHired.FromString(rows[1][0])
    assert created == EnterpriseCreated(
        enterprise_id=owner.enterprise_id, time_zone="Asia/Tokyo", currency="USD"
    )
    assert hired == EmployeeHired(
        enterprise_id=owner.enterprise_id,
        employee_id=owner.employee_id,
        member_id=str(owner.person.member_id),
        account_id=owner.account_id,
        title=TITLE_OWNER,
    )


async def test_a_failure_to_open_the_account_leaves_the_enterprise_and_the_event_by_which_it_opens(
    world: World,
) -> None:
    world.identity.opening_fails = True
    owner = await world.owner()
    assert world.identity.opened == []
    (row,) = await world.rows(
        "SELECT payload FROM wrtn_outbox WHERE subject LIKE '%%employee.hired' AND tenant_id = %s",
        owner.enterprise_id,
    )
    assert EmployeeHired.FromString(row[0]).account_id == owner.account_id


async def test_an_identity_that_never_answers_holds_up_no_answer_of_ours(world: World) -> None:
    world.identity.opening_hangs = True
    async with asyncio.timeout(8):
        owner = await world.owner()
    assert await world.subjects(owner) == ["enterprise.created", "employee.hired"]


async def test_a_replay_opens_the_same_account_that_a_crash_had_left_unopened(
    world: World,
) -> None:
    person = world.identity.join()
    request = CreateEnterpriseRequest(display_name="Acme", slug=slug_of(world), request_id="1")
    world.identity.opening_fails = True
    first = await world.enterprises.CreateEnterprise(request, metadata=world.identity.token(person))
    world.identity.opening_fails = False
    second = await world.enterprises.CreateEnterprise(request, metadata=world.identity.token(person))
    assert second == first
    assert world.identity.opened == [first.account_id]
    owner = world.worker(person, first.enterprise.id, first.employee_id, first.account_id)
    assert await world.subjects(owner) == ["enterprise.created", "employee.hired"]


async def test_a_slug_is_taken_once_in_the_whole_suite(world: World) -> None:
    request, before = CreateEnterpriseRequest(display_name="Acme", slug=slug_of(world)), await told_of(world)
    answers = await asyncio.gather(
        *(
            world.enterprises.CreateEnterprise(request, metadata=world.identity.token(world.identity.join()))
            for _ in range(5)
        ),
        return_exceptions=True,
    )
    refused = [refusal(each) for each in answers if isinstance(each, grpc.aio.AioRpcError)]
    assert refused == [(grpc.StatusCode.ALREADY_EXISTS, "SLUG_TAKEN")] * 4
    assert await told_of(world) == before + 1


async def test_whose_slug_it_is_cannot_be_read_by_another_tenant(world: World) -> None:
    await world.owner()
    app = world.database.app
    stranger = world.clock.new_id()
    async with app.snapshot(Scope.of(stranger, member_id=stranger)) as tx:
        driver = await tx.driver()
        for table in (b"wrtn_slugs", b"wrtn_enterprises", b"wrtn_employees", b"wrtn_appointments"):
            assert await (await driver.execute(b"SELECT * FROM " + table)).fetchall() == []
        assert await Enterprises(tx, stranger).get() is None


@pytest.mark.parametrize("name", ["Europe/Atlantis", "../etc/passwd", "europe/berlin"])
async def test_a_time_zone_that_is_none_is_refused(world: World, name: str) -> None:
    before = await told_of(world)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await world.owner(time_zone=name)
    assert refusal(refused.value) == (grpc.StatusCode.INVALID_ARGUMENT, "TIME_ZONE_UNKNOWN")
    assert await told_of(world) == before


async def test_without_a_time_zone_it_is_utc(world: World) -> None:
    owner = await world.owner()
    request = GetEnterpriseRequest(enterprise_id=owner.enterprise_id)
    found = await world.enterprises.GetEnterprise(request, metadata=owner.metadata)
    assert found.time_zone == "UTC"


async def test_an_enterprise_of_others_looks_like_one_that_does_not_exist(world: World) -> None:
    owner, stranger = await world.owner(), await world.owner()
    answers = []
    for named in (owner.enterprise_id, str(world.clock.new_id())):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await world.enterprises.GetEnterprise(
                GetEnterpriseRequest(enterprise_id=named), metadata=stranger.metadata
            )
        answers.append((refusal(refused.value), refused.value.details()))
    assert answers[0] == answers[1]
    assert answers[0][0] == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


async def test_one_lists_the_enterprises_that_employ_one_whichever_account_is_acting(world: World) -> None:
    person = world.identity.join()
    mine = [(await world.owner(person)) for _ in range(3)]
    await world.owner()
    wanted = sorted(each.enterprise_id for each in mine)
    for metadata in (world.identity.token(person), mine[0].metadata):
        found: list[str] = []
        request = ListEnterprisesRequest(page_size=2)
        for _ in range(2):
            answer = await world.enterprises.ListEnterprises(request, metadata=metadata)
            found += [each.id for each in answer.enterprises]
            request.page_token = answer.next_page_token
        assert found == wanted
        assert request.page_token == ""


async def test_who_is_employed_nowhere_lists_nothing(world: World) -> None:
    await world.owner()
    metadata = world.identity.token(world.identity.join())
    answer = await world.enterprises.ListEnterprises(ListEnterprisesRequest(), metadata=metadata)
    assert list(answer.enterprises) == []


async def test_the_same_request_id_of_another_member_is_another_request(world: World) -> None:
    requests = [
        CreateEnterpriseRequest(display_name="Acme", slug=slug_of(world), request_id="1") for _ in range(2)
    ]
    created = [
        await world.enterprises.CreateEnterprise(each, metadata=world.identity.token(world.identity.join()))
        for each in requests
    ]
    assert UUID(created[0].enterprise.id) != UUID(created[1].enterprise.id)
