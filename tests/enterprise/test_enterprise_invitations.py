"""Inviting people by mail, and what they answer."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import cast
from uuid import UUID

import grpc
import pytest

from chassis.database import Scope
from chassis.testing.clocks import MovableClock
from chassis.testing.waiting import until
from tests.enterprise.identity import Metadata, Person
from tests.enterprise.make import Worker, World, refusal
from wrtn.access.v1.access_pb2 import (
    ROLE_CHIEF,
    ROLE_MANAGER,
    ROLE_MEMBER,
    TITLE_MANAGER,
    TITLE_MEMBER,
    TITLE_OWNER,
    Role,
    Title,
)
from wrtn.enterprise.v1 import invitations_pb2 as pb
from wrtn.enterprise.v1.employees_pb2 import ChangeTitleRequest, ListAppointmentsRequest

INVALID = (grpc.StatusCode.NOT_FOUND, "INVITATION_INVALID")


def later(world: World, ahead: timedelta) -> None:
    cast("MovableClock", world.clock).ahead += ahead


def mina_of(by: Worker) -> str:
    """Answers an address that only the enterprise invites, and those that compete with it."""
    return f"mina@{by.enterprise_id}.example"


async def invite(
    world: World,
    by: Worker,
    email: str = "",
    title: Title.ValueType = TITLE_MEMBER,
    places: dict[str, Role.ValueType] | None = None,
) -> pb.Invitation:
    request = pb.CreateInvitationRequest(
        enterprise_id=by.enterprise_id,
        email=email or mina_of(by),
        title=title,
        places=[pb.InvitedPlace(team_id=team_id, role=role) for team_id, role in (places or {}).items()],
    )
    return await world.invitations.CreateInvitation(request, metadata=world.renewed(by).metadata)


async def mailed(world: World, by: Worker, count: int = 1) -> str:
    """Waits for so many mails to the address that the enterprise invites; answers the token of the last."""

    def there() -> bool:
        return len(sent()) == count

    def sent() -> list[str]:
        mails = [each for each in world.identity.mails.values() if each.address == mina_of(by)]
        assert all(each.template == "invitation" for each in mails)
        return [each.values["token"] for each in mails]

    await until(there)
    return sent()[-1]


def owner_of(world: World, *emails: str) -> Person:
    """Makes a member who has verified these addresses."""
    person = world.identity.join()
    world.identity.addresses[str(person.member_id)] = list(emails)
    return person


def token_of(world: World, person: Person) -> Metadata:
    return world.identity.token(person)


async def accept(
    world: World, person: Person, token: str = "", ref: pb.Invitation | None = None, request_id: str = ""
) -> pb.AcceptInvitationResponse:
    if ref is not None:
        wanted = pb.InvitationRef(enterprise_id=ref.enterprise_id, invitation_id=ref.id)
        request = pb.AcceptInvitationRequest(ref=wanted, request_id=request_id)
    else:
        request = pb.AcceptInvitationRequest(token=token, request_id=request_id)
    return await world.invitations.AcceptInvitation(request, metadata=token_of(world, person))


async def mine(world: World, person: Person) -> list[pb.Invitation]:
    found = await world.invitations.ListMyInvitations(
        pb.ListMyInvitationsRequest(), metadata=token_of(world, person)
    )
    return list(found.invitations)


async def seen(world: World, by: Worker, invitation: pb.Invitation) -> pb.Invitation:
    request = pb.GetInvitationRequest(enterprise_id=by.enterprise_id, invitation_id=invitation.id)
    return await world.invitations.GetInvitation(request, metadata=world.renewed(by).metadata)


async def act(world: World, by: Worker, verb: str, invitation: pb.Invitation) -> pb.Invitation:
    kind = getattr(pb, f"{verb}InvitationRequest")
    request = kind(enterprise_id=by.enterprise_id, invitation_id=invitation.id)
    call = getattr(world.invitations, f"{verb}Invitation")
    found: pb.Invitation = await call(request, metadata=world.renewed(by).metadata)
    return found


async def refused(world: World, person: Person, token: str = "", ref: pb.Invitation | None = None) -> tuple:  # type: ignore[type-arg]
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await accept(world, person, token, ref)
    return refusal(error.value)


async def test_the_owner_of_the_address_accepts_title_and_places_at_once(world: World) -> None:
    owner = await world.owner()
    team_id, other_id = await world.team(owner), await world.team(owner)
    places = {team_id: ROLE_CHIEF, other_id: ROLE_MEMBER}
    made = await invite(world, owner, title=TITLE_MANAGER, places=places)
    assert (made.state, made.email, made.mail_count) == (pb.Invitation.STATE_OPEN, mina_of(owner), 1)
    person = owner_of(world, "x@y.example", mina_of(owner).upper())
    accepted = await accept(world, person, await mailed(world, owner))
    assert world.identity.opened[-1] == accepted.account_id
    found = await seen(world, owner, made)
    assert (found.state, found.employee_id) == (pb.Invitation.STATE_ACCEPTED, accepted.employee_id)
    worker = world.worker(person, accepted.enterprise_id, accepted.employee_id, accepted.account_id)
    access = await world.resolve(worker)
    assert access.title == TITLE_MANAGER
    assert {each.team_id: each.role for each in access.teams} == places
    request = ListAppointmentsRequest(enterprise_id=owner.enterprise_id, employee_id=accepted.employee_id)
    records = (await world.employees.ListAppointments(request, metadata=owner.metadata)).appointments
    assert len(records) == 3
    assert {each.decider_employee_id for each in records} == {owner.employee_id}


async def test_one_who_registers_later_finds_it_and_accepts(world: World) -> None:
    owner = await world.owner()
    made = await invite(world, owner)
    person = owner_of(world)
    assert await mine(world, person) == []
    assert await refused(world, person, ref=made) == INVALID
    world.identity.addresses[str(person.member_id)] = [mina_of(owner)]
    (found,) = await mine(world, person)
    assert (found.id, found.enterprise_display_name) == (made.id, "Acme")
    await accept(world, person, ref=found)
    assert await mine(world, person) == []


async def test_the_mail_waits_for_identity(world: World) -> None:
    owner = await world.owner()
    world.identity.mailing_fails = True
    await invite(world, owner)
    async with world.database.app.snapshot(Scope.of(UUID(owner.enterprise_id))) as tx:
        rows = await (await (await tx.driver()).execute(b"SELECT fills, sealed FROM wrtn_letters")).fetchall()
    assert rows[0][0] == {}
    assert mina_of(owner).encode() not in rows[0][1]
    world.identity.mailing_fails = False
    await mailed(world, owner)


async def test_neither_address_nor_token_is_stored_readably(world: World) -> None:
    owner = await world.owner()
    await invite(world, owner)
    token = await mailed(world, owner)
    async with world.database.app.snapshot(Scope.of(UUID(owner.enterprise_id))) as tx:
        query = (
            b"SELECT i::text || a::text FROM wrtn_invitations i"
            b" JOIN wrtn_invited_addresses a ON a.invitation_id = i.id"
        )
        ((text,),) = await (await (await tx.driver()).execute(query)).fetchall()
    for canary in (mina_of(owner), token, mina_of(owner).encode().hex(), token.encode().hex()):
        assert canary not in text


async def test_every_other_answer_to_an_invitation_is_the_same_refusal(world: World) -> None:
    owner, other = await world.owner(), await world.owner()
    made = await invite(world, owner)
    token = await mailed(world, owner)
    person, stranger = owner_of(world, mina_of(owner)), owner_of(world, "eve@evil.example")
    assert await refused(world, stranger, token) == INVALID
    assert await refused(world, stranger, ref=made) == INVALID
    assert await refused(world, person, token[:-2] + "xx") == INVALID
    assert await refused(world, person, "nonsense") == INVALID
    foreign = pb.Invitation(id=made.id, enterprise_id=other.enterprise_id)
    assert await refused(world, person, ref=foreign) == INVALID
    await act(world, owner, "Revoke", made)
    assert await refused(world, person, token) == INVALID
    again = await invite(world, owner)
    token = await mailed(world, owner, 2)
    later(world, timedelta(days=7))
    assert (await seen(world, owner, again)).state == pb.Invitation.STATE_EXPIRED
    assert await refused(world, person, token) == INVALID
    assert await mine(world, person) == []
    third = await invite(world, owner)
    token = await mailed(world, owner, 3)
    await accept(world, person, token)
    assert await refused(world, person, token) == INVALID
    assert await refused(world, person, ref=third) == INVALID


async def test_a_retry_has_one_effect_and_one_answer(world: World) -> None:
    owner = await world.owner()
    await invite(world, owner)
    token, person = await mailed(world, owner), owner_of(world, mina_of(owner))
    first = await accept(world, person, token, request_id="once")
    assert await accept(world, person, token, request_id="once") == first
    assert (await world.subjects(owner)).count("employee.hired") == 2


async def test_of_two_who_own_an_address_at_once_one_accepts(world: World) -> None:
    owner = await world.owner()
    await invite(world, owner)
    token = await mailed(world, owner)
    people = [owner_of(world, mina_of(owner)) for _ in range(4)]
    answers = await asyncio.gather(
        *(accept(world, person, token) for person in people), return_exceptions=True
    )
    assert len([each for each in answers if isinstance(each, pb.AcceptInvitationResponse)]) == 1
    lost = [refusal(each) for each in answers if isinstance(each, grpc.aio.AioRpcError)]
    assert lost == [INVALID] * 3


async def test_an_address_has_one_open_invitation_of_an_enterprise(world: World) -> None:
    owner, other = await world.owner(), await world.owner()
    mina = mina_of(owner)
    answers = await asyncio.gather(
        *(invite(world, owner, email) for email in (mina, mina.upper(), mina)), return_exceptions=True
    )
    assert len([each for each in answers if isinstance(each, pb.Invitation)]) == 1
    lost = [refusal(each) for each in answers if isinstance(each, grpc.aio.AioRpcError)]
    assert lost == [(grpc.StatusCode.ALREADY_EXISTS, "INVITATION_OPEN")] * 2
    await invite(world, other, mina_of(owner))
    assert len(await mine(world, owner_of(world, mina_of(owner)))) == 2


async def test_one_invites_only_to_what_one_could_give(world: World) -> None:
    owner = await world.owner()
    manager, member = await world.hire(owner, TITLE_MANAGER), await world.hire(owner)
    for title in (TITLE_MANAGER, TITLE_OWNER):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await invite(world, manager, title=title)
        assert refusal(error.value) == (grpc.StatusCode.PERMISSION_DENIED, "APPOINTMENT_ABOVE_RIGHT")
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await invite(world, member)
    assert refusal(error.value) == (grpc.StatusCode.PERMISSION_DENIED, "NOT_ADMITTED")
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await invite(world, manager, places={str(world.clock.new_id()): ROLE_MEMBER})
    assert refusal(error.value) == (grpc.StatusCode.NOT_FOUND, "TEAM_NOT_FOUND")
    made = await invite(world, owner, title=TITLE_MANAGER)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await act(world, manager, "Revoke", made)
    assert refusal(error.value) == (grpc.StatusCode.PERMISSION_DENIED, "APPOINTMENT_ABOVE_RIGHT")


async def test_an_inviter_who_lost_the_right_has_invited_in_vain(world: World) -> None:
    owner = await world.owner()
    manager = await world.hire(owner, TITLE_MANAGER)
    team_id = await world.team(owner)
    await invite(world, manager, places={team_id: ROLE_MANAGER})
    token, person = await mailed(world, owner), owner_of(world, mina_of(owner))
    request = ChangeTitleRequest(
        enterprise_id=owner.enterprise_id, employee_id=manager.employee_id, title=TITLE_MEMBER, reason="x"
    )
    await world.employees.ChangeTitle(request, metadata=owner.metadata)
    assert await refused(world, person, token) == INVALID
    assert (await world.subjects(owner)).count("employee.hired") == 2
    request.title = TITLE_MANAGER
    await world.employees.ChangeTitle(request, metadata=owner.metadata)
    await accept(world, person, token)


async def test_an_employee_is_told_that_they_are_one(world: World) -> None:
    owner = await world.owner()
    await invite(world, owner)
    world.identity.addresses[str(owner.person.member_id)] = [mina_of(owner)]
    answer = await refused(world, owner.person, await mailed(world, owner))
    assert answer == (grpc.StatusCode.ALREADY_EXISTS, "ALREADY_EMPLOYED")


async def test_a_declined_invitation_is_over(world: World) -> None:
    owner = await world.owner()
    made = await invite(world, owner)
    token, person = await mailed(world, owner), owner_of(world, mina_of(owner))
    request = pb.DeclineInvitationRequest(token=token)
    await world.invitations.DeclineInvitation(request, metadata=token_of(world, person))
    assert (await seen(world, owner, made)).state == pb.Invitation.STATE_DECLINED
    assert await refused(world, person, token) == INVALID
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await act(world, owner, "Resend", made)
    assert refusal(error.value) == (grpc.StatusCode.FAILED_PRECONDITION, "INVITATION_ENDED")


async def test_a_mail_is_sent_again_not_too_soon_and_replaces_the_old_one(world: World) -> None:
    owner = await world.owner()
    made = await invite(world, owner)
    old, person = await mailed(world, owner), owner_of(world, mina_of(owner))
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await act(world, owner, "Resend", made)
    assert refusal(error.value) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "INVITATION_RESENT")
    later(world, timedelta(days=8))
    found = await act(world, owner, "Resend", made)
    assert (found.state, found.mail_count) == (pb.Invitation.STATE_OPEN, 2)
    new = await mailed(world, owner, 2)
    assert await refused(world, person, old) == INVALID
    await accept(world, person, new)


async def test_an_invitation_is_mailed_ten_times_at_most(world: World) -> None:
    owner = await world.owner()
    made = await invite(world, owner)
    for mails in range(2, 11):
        later(world, timedelta(minutes=11))
        assert (await act(world, owner, "Resend", made)).mail_count == mails
    later(world, timedelta(minutes=11))
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await act(world, owner, "Resend", made)
    assert refusal(error.value) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "INVITATION_RESENT")
    assert (await seen(world, owner, made)).mail_count == 10
    await mailed(world, owner, 10)


async def test_an_expired_invitation_is_not_sent_again_beside_a_newer_one(world: World) -> None:
    owner = await world.owner()
    made = await invite(world, owner)
    later(world, timedelta(days=8))
    await invite(world, owner)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await act(world, owner, "Resend", made)
    assert refusal(error.value) == (grpc.StatusCode.ALREADY_EXISTS, "INVITATION_OPEN")


async def test_invitations_are_listed_the_newest_first_and_no_foreign_one(world: World) -> None:
    owner, other = await world.owner(), await world.owner()
    made = [await invite(world, owner, f"p{number}@acme.example") for number in range(3)]
    request = pb.ListInvitationsRequest(enterprise_id=owner.enterprise_id, page_size=2)
    first = await world.invitations.ListInvitations(request, metadata=owner.metadata)
    request.page_token = first.next_page_token
    rest = await world.invitations.ListInvitations(request, metadata=owner.metadata)
    assert [each.id for each in (*first.invitations, *rest.invitations)] == [each.id for each in made[::-1]]
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await seen(world, other, made[0])
    assert refusal(error.value) == (grpc.StatusCode.NOT_FOUND, "INVITATION_NOT_FOUND")


@pytest.mark.parametrize("email", ["mina", "mina@", "@acme.example", "a b@acme.example"])
async def test_what_is_no_address_is_refused(world: World, email: str) -> None:
    owner = await world.owner()
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await invite(world, owner, email)
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_while_identity_is_away_nobody_accepts(world: World) -> None:
    owner = await world.owner()
    made = await invite(world, owner)
    person = owner_of(world, mina_of(owner))
    assert await mine(world, person)
    world.identity.away = True
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await accept(world, person, ref=made)
    assert error.value.code() == grpc.StatusCode.UNAVAILABLE
    world.identity.away = False
    await accept(world, person, ref=made)
