"""Dismissals: what ends at once, and how the accounts pass to a successor."""

from __future__ import annotations

import asyncio
from uuid import UUID

import grpc
import nats
import pytest

from chassis.events import envelope
from chassis.events.streams import ensure_stream
from chassis.testing.waiting import until
from tests.enterprise.make import Worker, World, refused
from wrtn.access.v1.access_pb2 import (
    DUTY_SECURITY,
    ROLE_CHIEF,
    ROLE_MEMBER,
    ROLE_UNSPECIFIED,
    TITLE_MANAGER,
    TITLE_MEMBER,
    TITLE_OWNER,
    TITLE_UNSPECIFIED,
)
from wrtn.enterprise.v1.access_pb2 import Access
from wrtn.enterprise.v1.employees_pb2 import (
    EMPLOYEE_STATE_ACTIVE,
    EMPLOYEE_STATE_DISMISSED,
    HANDOVER_STATE_DONE,
    HANDOVER_STATE_PENDING,
    HANDOVER_STATE_REFUSED,
    EmployeeState,
    HandOverAccountsRequest,
    HandOverAccountsResponse,
    HireEmployeeRequest,
    ListEmployeesRequest,
)
from wrtn.enterprise.v1.enterprises_pb2 import GetEnterpriseRequest, ListEnterprisesRequest
from wrtn.enterprise.v1.events_pb2 import EmployeeDismissed
from wrtn.identity.v1.events_pb2 import AccountTransferred
from wrtn.identity.v1.transfers_pb2 import TransferAccountRequest

ABOVE = (grpc.StatusCode.PERMISSION_DENIED, "APPOINTMENT_ABOVE_RIGHT")
NO_SUCCESSOR = (grpc.StatusCode.NOT_FOUND, "SUCCESSOR_NOT_FOUND")


async def hand_over(world: World, by: Worker, whom: Worker, to: Worker) -> HandOverAccountsResponse:
    request = HandOverAccountsRequest(
        enterprise_id=by.enterprise_id,
        employee_id=whom.employee_id,
        successor_employee_id=to.employee_id,
    )
    return await world.employees.HandOverAccounts(request, metadata=by.metadata)


async def hire_again(world: World, by: Worker, whom: Worker) -> Worker:
    request = HireEmployeeRequest(
        enterprise_id=by.enterprise_id, member_id=str(whom.person.member_id), title=TITLE_MEMBER
    )
    hired = await world.employees.HireEmployee(request, metadata=by.metadata)
    return world.worker(whom.person, by.enterprise_id, hired.id, hired.account_id)


async def employees(world: World, by: Worker, state: EmployeeState.ValueType) -> set[str]:
    request = ListEmployeesRequest(enterprise_id=by.enterprise_id, state=state)
    answer = await world.employees.ListEmployees(request, metadata=by.metadata)
    return {each.id for each in answer.employees}


async def test_a_dismissal_takes_everything_at_once_and_leaves_records_of_all(world: World) -> None:
    owner = await world.owner()
    manager = await world.hire(owner, TITLE_MANAGER)
    await world.entrust(owner, manager, DUTY_SECURITY)
    team = await world.team(owner)
    await world.appoint(owner, team, manager, ROLE_CHIEF)
    dismissed = await world.dismiss(owner, manager, reason="Took the trams of Porto.")
    assert (dismissed.state, dismissed.title, list(dismissed.duties)) == (
        EMPLOYEE_STATE_DISMISSED,
        TITLE_UNSPECIFIED,
        [],
    )
    assert dismissed.HasField("dismiss_time")
    assert await world.resolve(manager) == Access()
    refusal = await refused(
        world.enterprises.GetEnterprise(
            GetEnterpriseRequest(enterprise_id=owner.enterprise_id), metadata=manager.metadata
        )
    )
    assert refusal == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")
    role, title = (await world.records(owner, manager))[:2]
    assert (role.team_id, role.role_before, role.role_after) == (team, ROLE_CHIEF, ROLE_UNSPECIFIED)
    assert (title.title_before, title.title_after) == (TITLE_MANAGER, TITLE_UNSPECIFIED)
    assert (list(title.duties_before), list(title.duties_after)) == ([DUTY_SECURITY], [])
    assert {role.reason, title.reason} == {"Took the trams of Porto."}
    assert {role.decider_employee_id, title.decider_employee_id} == {owner.employee_id}
    assert sorted((await world.subjects(owner))[-2:]) == ["companion.removed", "employee.dismissed"]


async def test_who_was_dismissed_has_that_employer_no_more(world: World) -> None:
    owner = await world.owner()
    worker = await world.hire(owner)
    await world.dismiss(owner, worker)
    metadata = world.identity.token(worker.person)
    listed = await world.enterprises.ListEnterprises(ListEnterprisesRequest(), metadata=metadata)
    assert list(listed.enterprises) == []
    assert await employees(world, owner, EMPLOYEE_STATE_ACTIVE) == {owner.employee_id}
    assert await employees(world, owner, EMPLOYEE_STATE_DISMISSED) == {worker.employee_id}


async def test_members_are_dismissed_by_managers_and_nobody_else_by_them(world: World) -> None:
    owner = await world.owner()
    manager, other = await world.hire(owner, TITLE_MANAGER), await world.hire(owner, TITLE_MANAGER)
    worker = await world.hire(owner)
    for whom in (other, owner, manager):
        assert await refused(world.dismiss(manager, whom)) == ABOVE
    assert await refused(world.dismiss(owner, owner)) == ABOVE
    await world.dismiss(manager, worker)
    again = await refused(world.dismiss(manager, worker))
    assert again == (grpc.StatusCode.FAILED_PRECONDITION, "EMPLOYEE_DISMISSED")
    assert len(await world.records(owner)) == 5


async def test_an_account_passes_to_the_successor_in_the_same_call(world: World) -> None:
    owner = await world.owner()
    worker, heir = await world.hire(owner), await world.hire(owner)
    await world.dismiss(owner, worker, heir)
    (handover,) = await world.handovers(owner, worker)
    assert (handover.account_id, handover.successor_employee_id, handover.state) == (
        worker.account_id,
        heir.employee_id,
        HANDOVER_STATE_DONE,
    )
    (transfer,) = transfers(world, worker)
    assert (transfer.transfer_id, transfer.holder_member_id, transfer.receiver_member_id) == (
        handover.id,
        str(worker.person.member_id),
        str(heir.person.member_id),
    )
    assert transfer.decider_member_id == str(owner.person.member_id)
    assert (await world.records(owner, worker))[0].successor_employee_id == heir.employee_id
    ((payload,),) = await world.rows(
        "SELECT payload FROM wrtn_outbox WHERE subject LIKE '%%.employee.dismissed' AND tenant_id = %s",
        owner.enterprise_id,
    )
    assert EmployeeDismissed.FromString(payload).successor_employee_id == heir.employee_id
    # By the inherited account the heir is who they are, and no more.
    inherited = world.worker(heir.person, owner.enterprise_id, heir.employee_id, worker.account_id)
    assert (await world.resolve(inherited)).employee_id == heir.employee_id


async def test_a_handover_that_identity_does_not_answer_is_pending_until_it_does(world: World) -> None:
    owner = await world.owner()
    worker, heir = await world.hire(owner), await world.hire(owner)
    world.identity.transferring_fails = True
    await world.dismiss(owner, worker, heir)
    assert await world.resolve(worker) == Access()
    assert [each.state for each in await world.handovers(owner, worker)] == [HANDOVER_STATE_PENDING]
    again = await refused(hire_again(world, owner, worker))
    assert again == (grpc.StatusCode.FAILED_PRECONDITION, "HANDOVER_PENDING")
    world.identity.transferring_fails = False

    async def done() -> bool:
        return [each.state for each in await world.handovers(owner, worker)] == [HANDOVER_STATE_DONE]

    await until(done)
    assert len(transfers(world, worker)) == 1


async def test_without_a_successor_the_account_is_frozen_until_one_is_named(world: World) -> None:
    owner = await world.owner()
    worker, heir = await world.hire(owner), await world.hire(owner)
    early = await refused(hand_over(world, owner, worker, heir))
    assert early == (grpc.StatusCode.FAILED_PRECONDITION, "EMPLOYEE_ACTIVE")
    await world.dismiss(owner, worker)
    assert transfers(world, worker) == []
    assert await world.handovers(owner, worker) == []
    begun = await hand_over(world, owner, worker, heir)
    assert [each.account_id for each in begun.handovers] == [worker.account_id]
    assert [each.state for each in await world.handovers(owner, worker)] == [HANDOVER_STATE_DONE]
    again = await refused(hand_over(world, owner, worker, heir))
    assert again == (grpc.StatusCode.FAILED_PRECONDITION, "NOTHING_TO_HAND_OVER")


async def test_the_account_of_one_who_was_manager_is_handed_over_by_owners(world: World) -> None:
    owner = await world.owner()
    manager, other = await world.hire(owner, TITLE_MANAGER), await world.hire(owner, TITLE_MANAGER)
    heir = await world.hire(owner)
    await world.leave(manager)
    assert await refused(hand_over(world, other, manager, heir)) == ABOVE
    await hand_over(world, owner, manager, heir)


async def test_a_successor_who_is_foreign_dismissed_or_themself_is_not_found(world: World) -> None:
    owner, stranger = await world.owner(), await world.owner()
    worker, gone = await world.hire(owner), await world.hire(owner)
    await world.dismiss(owner, gone)
    for heir in (stranger, gone, worker):
        assert await refused(world.dismiss(owner, worker, heir)) == NO_SUCCESSOR
    assert (await world.resolve(worker)).title == TITLE_MEMBER


async def test_a_successor_who_goes_first_gets_nothing_and_another_may_be_named(world: World) -> None:
    owner = await world.owner()
    worker, heir, next_heir = [await world.hire(owner) for _ in range(3)]
    world.identity.transferring_fails = True
    await world.dismiss(owner, worker, heir)
    await world.dismiss(owner, heir)
    assert [each.state for each in await world.handovers(owner, worker)] == [HANDOVER_STATE_REFUSED]
    world.identity.transferring_fails = False
    await hand_over(world, owner, worker, next_heir)
    states = {each.state for each in await world.handovers(owner, worker)}
    assert states == {HANDOVER_STATE_REFUSED, HANDOVER_STATE_DONE}
    assert world.identity.accounts[worker.account_id][1] == str(next_heir.person.member_id)


async def test_what_was_inherited_is_handed_on(world: World) -> None:
    owner = await world.owner()
    first, second, third = [await world.hire(owner) for _ in range(3)]
    await world.dismiss(owner, first, second)
    await world.dismiss(owner, second, third)
    assert {each.account_id for each in await world.handovers(owner, second)} == {
        first.account_id,
        second.account_id,
    }
    held = {
        account for account, (_, who) in world.identity.accounts.items() if who == str(third.person.member_id)
    }
    assert held >= {first.account_id, second.account_id, third.account_id}


async def test_a_transfer_that_can_never_be_is_refused_and_not_repeated(world: World) -> None:
    owner = await world.owner()
    worker, heir = await world.hire(owner), await world.hire(owner)
    tenant_id, _ = world.identity.accounts[worker.account_id]
    world.identity.accounts[worker.account_id] = (tenant_id, str(heir.person.member_id))
    await world.dismiss(owner, worker, heir)
    assert [each.state for each in await world.handovers(owner, worker)] == [HANDOVER_STATE_REFUSED]


async def test_one_who_returns_has_their_account_again_or_a_new_one_if_it_went(world: World) -> None:
    owner = await world.owner()
    kept, lost, heir = [await world.hire(owner) for _ in range(3)]
    await world.dismiss(owner, kept)
    await world.dismiss(owner, lost, heir)
    back = await hire_again(world, owner, kept)
    assert (back.employee_id, back.account_id) == (kept.employee_id, kept.account_id)
    new = await hire_again(world, owner, lost)
    assert new.employee_id == lost.employee_id
    assert new.account_id != lost.account_id
    assert world.identity.opened[-1] == new.account_id
    assert (await world.resolve(new)).title == TITLE_MEMBER
    told = [(each.title_before, each.title_after) for each in await world.records(owner, lost)]
    assert told == [(0, TITLE_MEMBER), (TITLE_MEMBER, 0), (0, TITLE_MEMBER)]


async def test_the_roles_of_one_who_returns_are_not_theirs_again(world: World) -> None:
    owner = await world.owner()
    worker, team = await world.hire(owner), await world.team(owner)
    await world.appoint(owner, team, worker, ROLE_CHIEF)
    await world.dismiss(owner, worker)
    back = await hire_again(world, owner, worker)
    assert list((await world.resolve(back, team)).teams) == []
    await world.appoint(owner, team, back, ROLE_MEMBER)
    assert [each.role for each in (await world.resolve(back)).teams] == [ROLE_MEMBER]


@pytest.mark.parametrize("attempt", range(2))
async def test_two_who_dismiss_the_same_one_at_once_do_so_once(world: World, attempt: int) -> None:
    owner = await world.owner()
    second, worker = await world.hire(owner, TITLE_OWNER), await world.hire(owner)
    answers = await asyncio.gather(
        world.dismiss(owner, worker), world.dismiss(second, worker), return_exceptions=True
    )
    assert sum(isinstance(each, Exception) for each in answers) == 1
    assert len(await world.records(owner, worker)) == 2


async def test_an_account_that_came_by_a_transfer_is_handed_on_as_the_newest_event_says(
    world: World,
) -> None:
    owner = await world.owner()
    giver, taker, heir = [await world.hire(owner) for _ in range(3)]
    # The newer event comes first, and both come twice.
    for version, holder in ((3, taker), (2, giver)):
        await transferred(world, giver, holder, version)
    world.identity.accounts[giver.account_id] = (owner.enterprise_id, str(taker.person.member_id))

    async def noted() -> bool:
        rows = await world.rows("SELECT FROM wrtn_inbox WHERE consumer = 'account-holders'")
        return len(rows) == 2

    await until(noted)
    await world.dismiss(owner, giver, heir)
    assert await world.handovers(owner, giver) == []
    await world.dismiss(owner, taker, heir)
    assert {each.account_id for each in await world.handovers(owner, taker)} == {
        giver.account_id,
        taker.account_id,
    }


def transfers(world: World, giver: Worker) -> list[TransferAccountRequest]:
    """Answers what identity was asked for of the account."""
    return [each for each in world.identity.transfers.values() if each.account_id == giver.account_id]


async def transferred(world: World, giver: Worker, holder: Worker, version: int) -> None:
    """Publishes, twice, that the account changed hands, as identity's relay would."""
    event = AccountTransferred(
        account_id=giver.account_id,
        tenant_id=giver.enterprise_id,
        old_holder_member_id=str(giver.person.member_id),
        new_holder_member_id=str(holder.person.member_id),
        transfer_id=str(world.clock.new_id()),
    )
    client = await nats.connect(world.running.runtime.settings.nats_url)
    try:
        await ensure_stream(client.jetstream(), "identity")
        event_id, subject = world.clock.new_id(), envelope.subject_of(AccountTransferred)
        for number in range(2):
            headers = envelope.headers(
                event_id,
                UUID(giver.enterprise_id),
                subject,
                UUID(giver.account_id),
                version,
                None,
                world.clock.now(),
                f"{event_id}-{number}",
            )
            await client.jetstream().publish(subject, event.SerializeToString(), headers=headers)
    finally:
        await client.close()
