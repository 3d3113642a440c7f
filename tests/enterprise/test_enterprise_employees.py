"""Employing members, and the records that it leaves."""

from __future__ import annotations

import asyncio
import base64
from uuid import UUID

import grpc
import pytest

from chassis.database import Scope
from tests.enterprise.make import Worker, World, refusal
from wrtn.access.v1.access_pb2 import TITLE_MANAGER, TITLE_MEMBER, TITLE_OWNER, Title
from wrtn.enterprise.v1.employees_pb2 import (
    Appointment,
    GetEmployeeRequest,
    HireEmployeeRequest,
    ListAppointmentsRequest,
    ListEmployeesRequest,
)

REASON = "Because she knows the trams of Porto."


async def appointments(world: World, by: Worker, employee_id: str = "") -> list[Appointment]:
    request = ListAppointmentsRequest(enterprise_id=by.enterprise_id, employee_id=employee_id, page_size=200)
    return list((await world.employees.ListAppointments(request, metadata=by.metadata)).appointments)


@pytest.mark.parametrize("title", [TITLE_MEMBER, TITLE_MANAGER, TITLE_OWNER])
async def test_an_owner_hires_with_any_title(world: World, title: Title.ValueType) -> None:
    owner = await world.owner()
    hired = await world.hire(owner, title)
    newest = (await appointments(world, owner))[0]
    assert (newest.sequence, newest.employee_id, newest.title_after) == (2, hired.employee_id, title)
    assert newest.decider_employee_id == owner.employee_id
    assert world.identity.opened[-1] == hired.account_id
    assert await world.subjects(owner) == ["enterprise.created", "employee.hired", "employee.hired"]


async def test_a_manager_hires_members_alone(world: World) -> None:
    manager = await world.hire(await world.owner(), TITLE_MANAGER)
    await world.hire(manager, TITLE_MEMBER)
    for title in (TITLE_MANAGER, TITLE_OWNER):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await world.hire(manager, title)
        assert refusal(refused.value) == (grpc.StatusCode.PERMISSION_DENIED, "APPOINTMENT_ABOVE_RIGHT")


async def test_a_member_hires_nobody(world: World) -> None:
    member = await world.hire(await world.owner(), TITLE_MEMBER)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await world.hire(member)
    assert refusal(refused.value) == (grpc.StatusCode.PERMISSION_DENIED, "NOT_ADMITTED")


async def test_an_unknown_or_inactive_member_is_not_found(world: World) -> None:
    owner = await world.owner()
    inactive = world.identity.join()
    world.identity.active.discard(str(inactive.member_id))
    for member_id in (inactive.member_id, world.clock.new_id()):
        request = HireEmployeeRequest(
            enterprise_id=owner.enterprise_id, member_id=str(member_id), title=TITLE_MEMBER
        )
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await world.employees.HireEmployee(request, metadata=owner.metadata)
        assert refusal(refused.value) == (grpc.StatusCode.NOT_FOUND, "MEMBER_NOT_FOUND")
    assert len(await appointments(world, owner)) == 1


async def test_a_login_that_has_ended_hires_nobody_though_the_cache_still_has_it(
    world: World,
) -> None:
    owner = await world.owner()
    await world.hire(owner)
    world.identity.logins.discard(str(owner.person.login_id))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await world.hire(owner)
    assert refusal(refused.value) == (grpc.StatusCode.UNAUTHENTICATED, "PRINCIPAL_ENDED")


async def test_a_title_that_is_taken_while_one_hires_hires_nobody(world: World) -> None:
    owner = await world.owner()
    manager = await world.hire(owner, TITLE_MANAGER)
    async with world.appointing(owner) as tx:
        racing = asyncio.ensure_future(world.hire(manager))
        await world.waits_for_a_lock()
        driver = await tx.driver()
        await driver.execute("UPDATE wrtn_employees SET title = 1 WHERE id = %s", (manager.employee_id,))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await racing
    assert refusal(refused.value) == (grpc.StatusCode.PERMISSION_DENIED, "APPOINTMENT_ABOVE_RIGHT")


async def test_a_member_is_employed_once_however_many_hire_them_at_once(world: World) -> None:
    owner = await world.owner()
    person = world.identity.join()
    request = HireEmployeeRequest(
        enterprise_id=owner.enterprise_id, member_id=str(person.member_id), title=TITLE_MEMBER
    )
    answers = await asyncio.gather(
        *(world.employees.HireEmployee(request, metadata=owner.metadata) for _ in range(4)),
        return_exceptions=True,
    )
    refused = [refusal(each) for each in answers if isinstance(each, grpc.aio.AioRpcError)]
    assert refused == [(grpc.StatusCode.ALREADY_EXISTS, "ALREADY_EMPLOYED")] * 3
    assert len(await appointments(world, owner)) == 2


async def test_the_same_request_hires_once_and_answers_the_same_account(world: World) -> None:
    owner = await world.owner()
    request = HireEmployeeRequest(
        enterprise_id=owner.enterprise_id,
        member_id=str(world.identity.join().member_id),
        title=TITLE_MEMBER,
        request_id="once",
    )
    answers = await asyncio.gather(
        *(world.employees.HireEmployee(request, metadata=owner.metadata) for _ in range(4))
    )
    answers.append(await world.employees.HireEmployee(request, metadata=owner.metadata))
    assert len({each.SerializeToString(deterministic=True) for each in answers}) == 1
    accounts = world.identity.accounts
    opened = {each for each in world.identity.opened if accounts[each][0] == owner.enterprise_id}
    assert opened == {owner.account_id, answers[0].account_id}
    assert len(await appointments(world, owner)) == 2


async def test_a_replay_answers_the_same_though_the_member_has_gone_since(world: World) -> None:
    owner = await world.owner()
    person = world.identity.join()
    request = HireEmployeeRequest(
        enterprise_id=owner.enterprise_id,
        member_id=str(person.member_id),
        title=TITLE_MEMBER,
        request_id="once",
    )
    first = await world.employees.HireEmployee(request, metadata=owner.metadata)
    world.identity.active.discard(str(person.member_id))
    assert await world.employees.HireEmployee(request, metadata=owner.metadata) == first
    request.title = TITLE_MANAGER
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await world.employees.HireEmployee(request, metadata=owner.metadata)
    assert refusal(refused.value) == (grpc.StatusCode.NOT_FOUND, "MEMBER_NOT_FOUND")


async def test_the_sequence_of_appointments_has_no_gap_and_no_double_however_many_race(world: World) -> None:
    owner = await world.owner()
    taken = await world.hire(owner)
    again = HireEmployeeRequest(
        enterprise_id=owner.enterprise_id, member_id=str(taken.person.member_id), title=TITLE_MEMBER
    )
    calls = [world.hire(owner) for _ in range(8)]
    failing = [world.employees.HireEmployee(again, metadata=owner.metadata) for _ in range(4)]
    answers = await asyncio.gather(*calls, *failing, return_exceptions=True)
    assert sum(isinstance(each, grpc.aio.AioRpcError) for each in answers) == 4
    assert [each.sequence for each in await appointments(world, owner)] == list(range(10, 0, -1))


async def test_enterprises_count_their_appointments_each_for_itself(world: World) -> None:
    first, second = await world.owner(), await world.owner()
    await world.hire(first)
    assert [each.sequence for each in await appointments(world, first)] == [2, 1]
    assert [each.sequence for each in await appointments(world, second)] == [1]


async def test_the_reason_is_read_back_and_lies_encrypted(world: World) -> None:
    owner = await world.owner()
    request = HireEmployeeRequest(
        enterprise_id=owner.enterprise_id,
        member_id=str(world.identity.join().member_id),
        title=TITLE_MEMBER,
        reason=REASON,
    )
    hired = await world.employees.HireEmployee(request, metadata=owner.metadata)
    (record,) = await appointments(world, owner, hired.id)
    assert record.reason == REASON
    async with world.database.app.snapshot(Scope.of(UUID(owner.enterprise_id))) as tx:
        driver = await tx.driver()
        found = await driver.execute("SELECT reason FROM wrtn_appointments ORDER BY sequence")
        rows = await found.fetchall()
    assert rows[0][0] is None
    assert rows[1][0]
    assert b"trams" not in rows[1][0]
    assert all(b"trams" not in row[0] for row in await world.rows("SELECT payload FROM wrtn_outbox"))


async def test_a_reason_under_a_destroyed_key_reads_as_empty_and_the_record_stays(world: World) -> None:
    owner = await world.owner()
    request = HireEmployeeRequest(
        enterprise_id=owner.enterprise_id,
        member_id=str(world.identity.join().member_id),
        title=TITLE_MEMBER,
        reason=REASON,
    )
    await world.employees.HireEmployee(request, metadata=owner.metadata)
    tenant_id = UUID(owner.enterprise_id)
    async with world.database.app.transaction(Scope.of(tenant_id)) as tx:
        await world.running.runtime.keyring.destroy(tx, tenant_id)
    assert [(each.sequence, each.reason) for each in await appointments(world, owner)] == [(2, ""), (1, "")]


async def test_without_an_answer_of_identity_nobody_is_hired(world: World) -> None:
    owner = await world.owner()
    await appointments(world, owner)
    world.identity.away = True
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await world.hire(owner)
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
    world.identity.away = False
    assert len(await appointments(world, owner)) == 1


async def test_records_of_one_employee_are_found_and_those_of_a_foreign_one_are_not(world: World) -> None:
    owner, stranger = await world.owner(), await world.owner()
    hired = await world.hire(owner)
    assert [each.employee_id for each in await appointments(world, owner, hired.employee_id)] == [
        hired.employee_id
    ]
    await not_found_alike(world, owner, stranger.employee_id)


async def not_found_alike(world: World, by: Worker, foreign_id: str) -> None:
    """Asserts that a foreign employee looks like a missing one, in each call that names one."""
    answers = set()
    for employee_id in (foreign_id, str(world.clock.new_id())):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await appointments(world, by, employee_id)
        answers.add((refusal(refused.value), refused.value.details()))
        request = GetEmployeeRequest(enterprise_id=by.enterprise_id, employee_id=employee_id)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await world.employees.GetEmployee(request, metadata=by.metadata)
        answers.add((refusal(refused.value), refused.value.details()))
    assert answers == {((grpc.StatusCode.NOT_FOUND, "EMPLOYEE_NOT_FOUND"), "The employee does not exist.")}


async def test_employees_are_listed_in_the_order_of_employment_page_by_page(world: World) -> None:
    owner = await world.owner()
    wanted = [owner.employee_id] + [(await world.hire(owner)).employee_id for _ in range(4)]
    found: list[str] = []
    request = ListEmployeesRequest(enterprise_id=owner.enterprise_id, page_size=2)
    for _ in range(3):
        answer = await world.employees.ListEmployees(request, metadata=owner.metadata)
        found += [each.id for each in answer.employees]
        request.page_token = answer.next_page_token
    assert found == wanted
    assert request.page_token == ""


async def test_appointments_are_listed_page_by_page_the_newest_first(world: World) -> None:
    owner = await world.owner()
    for _ in range(3):
        await world.hire(owner)
    found: list[int] = []
    request = ListAppointmentsRequest(enterprise_id=owner.enterprise_id, page_size=3)
    for _ in range(2):
        answer = await world.employees.ListAppointments(request, metadata=owner.metadata)
        found += [each.sequence for each in answer.appointments]
        request.page_token = answer.next_page_token
    assert found == [4, 3, 2, 1]


async def test_a_page_token_of_another_list_is_refused(world: World) -> None:
    owner = await world.owner()
    await world.hire(owner)
    first = ListEmployeesRequest(enterprise_id=owner.enterprise_id, page_size=1)
    token = (await world.employees.ListEmployees(first, metadata=owner.metadata)).next_page_token
    request = ListAppointmentsRequest(enterprise_id=owner.enterprise_id, page_token=token)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await world.employees.ListAppointments(request, metadata=owner.metadata)
    assert refusal(refused.value) == (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID")


async def test_a_forged_page_token_is_refused(world: World) -> None:
    owner = await world.owner()
    await world.hire(owner)
    request = ListEmployeesRequest(enterprise_id=owner.enterprise_id, page_size=1)
    token = (await world.employees.ListEmployees(request, metadata=owner.metadata)).next_page_token
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    forged = raw[: raw.index(b"[")] + b'["no number"]'
    request.page_token = base64.urlsafe_b64encode(forged).rstrip(b"=").decode()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await world.employees.ListEmployees(request, metadata=owner.metadata)
    assert refusal(refused.value) == (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID")
