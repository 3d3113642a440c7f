"""Inviting people, and what becomes of it."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import cast
from uuid import UUID

from chassis.crypto import DataKey, Keyring
from chassis.database import Snapshot, Transaction
from chassis.errors import NotFound
from services.enterprise import convert, events, letters, plan_limits
from services.enterprise.errors import (
    AppointmentAboveRight,
    HandoverPending,
    InvitationEnded,
    InvitationInvalid,
    InvitationNotFound,
    InvitationOpen,
    InvitationResent,
    TeamArchived,
    TeamNotFound,
)
from services.enterprise.invitations import invitees
from services.enterprise.invitations.invitees import Token
from services.enterprise.models import Enterprise, Invitation, InvitationState
from services.enterprise.people import appointing, appointments, companions, employees
from services.enterprise.store import Enterprises, Invitations, Rights, Teams
from wrtn.access.v1.access_pb2 import Role, Title
from wrtn.enterprise.v1 import invitations_pb2 as pb
from wrtn.enterprise.v1.employees_pb2 import HireEmployeeRequest
from wrtn.enterprise.v1.teams_pb2 import AppointCompanionRequest
from wrtn.identity.v1.mails_pb2 import SendMailRequest

GOOD_FOR = timedelta(days=7)
RESEND_AFTER = timedelta(minutes=10)
MOST_MAILS = 10
_ADDRESS = "wrtn_invitations.address"
# What an inviter could not do any more: the invitation is no good then, and says no more than that.
_NOT_THEIRS = (AppointmentAboveRight, NotFound, TeamArchived, HandoverPending)


async def create(
    tx: Transaction, keyring: Keyring, inviter_id: UUID, request: pb.CreateInvitationRequest
) -> pb.Invitation:
    """Invites an address.

    Raises AddressInvalid, AppointmentAboveRight, TeamNotFound, TeamArchived, InvitationOpen and
    PlanLimitReached.
    """
    tenant_id = UUID(request.enterprise_id)
    address = invitees.parsed(request.email)
    enterprise, inviter = await appointments.begin(tx, tenant_id, inviter_id)
    if not appointing.may_hire(inviter.title, request.title):
        raise AppointmentAboveRight("This title is not the caller's to give.", field="title")
    places = {UUID(each.team_id): each.role for each in request.places}
    await _require_places(tx, tenant_id, inviter_id, places)
    await plan_limits.require_invitation(tx, tenant_id)
    key = await keyring.key(tx, tenant_id)
    row = Invitation(
        tenant_id=tenant_id,
        id=tx.clock.new_id(),
        address_hash=keyring.lookup(invitees.PURPOSE, invitees.same(address)),
        title=request.title,
        places=[{"team_id": str(team_id), "role": int(role)} for team_id, role in places.items()],
        inviter_employee_id=inviter.employee_id,
        inviter_member_id=inviter_id,
        state=InvitationState.OPEN,
        mails=0,
        version=1,
        create_time=tx.now,
    )
    row.address = key.encrypt(address.encode(), _ADDRESS, tenant_id, row.id)
    _write(tx, key, enterprise, row, address, request.locale)
    known = Invitations(tx, tenant_id)
    await known.expire(row.address_hash, tx.now)
    if not await known.add(row):
        raise InvitationOpen("The address has an open invitation here.", field="email")
    await known.list_for_owner(row)
    tx.audit("invitation.created", tenant_id=tenant_id, target_id=row.id)
    events.invitation_changed(tx, row)
    return convert.invitation(row, enterprise, address, tx.now)


async def resend(
    tx: Transaction, keyring: Keyring, member_id: UUID, request: pb.ResendInvitationRequest
) -> pb.Invitation:
    """Sends the mail again, with a new token. Raises InvitationResent and what `_decided` raises."""
    enterprise, row = await _decided(tx, member_id, request.enterprise_id, request.invitation_id)
    if row.state not in (InvitationState.OPEN, InvitationState.EXPIRED):
        raise InvitationEnded("The invitation has ended: make a new one.", field="invitation_id")
    wait = (row.mail_time + RESEND_AFTER - tx.now).total_seconds()
    if wait > 0 or row.mails >= MOST_MAILS:
        raise InvitationResent("The mail was sent again already.", retry_after=max(wait, 0))
    known = Invitations(tx, row.tenant_id)
    if row.state == InvitationState.EXPIRED:
        if await known.open_to(row.address_hash):
            raise InvitationOpen("The address has another open invitation here.", field="invitation_id")
        row.state = InvitationState.OPEN
        await known.list_for_owner(row)
    key = await keyring.key(tx, row.tenant_id)
    address = opened_address(key, row)
    row.version += 1
    _write(tx, key, enterprise, row, address, request.locale)
    tx.audit("invitation.resent", tenant_id=row.tenant_id, target_id=row.id)
    return convert.invitation(row, enterprise, address, tx.now)


async def revoke(
    tx: Transaction, keyring: Keyring, member_id: UUID, request: pb.RevokeInvitationRequest
) -> pb.Invitation:
    """Revokes an open invitation. Raises InvitationEnded and what `_decided` raises."""
    enterprise, row = await _decided(tx, member_id, request.enterprise_id, request.invitation_id)
    if state_of(row, tx) != InvitationState.OPEN:
        raise InvitationEnded("The invitation is not open.", field="invitation_id")
    await _end(tx, row, InvitationState.REVOKED)
    return convert.invitation(
        row, enterprise, opened_address(await keyring.key(tx, row.tenant_id), row), tx.now
    )


async def accept(
    tx: Transaction,
    keyring: Keyring,
    member_id: UUID,
    wanted: Token | pb.InvitationRef,
    mine: Collection[bytes],
) -> pb.AcceptInvitationResponse:
    """Employs the member, whose verified addresses have these hashes, by the rights that the inviter has now.

    Employee, companions and records come together or not at all. Raises InvitationInvalid, AlreadyEmployed
    and PlanLimitReached.
    """
    row = await _answerable(tx, wanted, mine)
    enterprise_id = str(row.tenant_id)
    hiring = HireEmployeeRequest(
        enterprise_id=enterprise_id, member_id=str(member_id), title=cast("Title.ValueType", row.title)
    )
    try:
        hired = await employees.hire(tx, keyring, row.inviter_member_id, hiring)
        for place in row.places:
            appointing_request = AppointCompanionRequest(
                enterprise_id=enterprise_id,
                team_id=str(place["team_id"]),
                employee_id=hired.id,
                role=cast("Role.ValueType", place["role"]),
            )
            await tx.session.flush()
            await companions.appoint(tx, keyring, row.inviter_member_id, appointing_request)
    except _NOT_THEIRS as error:
        raise _invalid() from error
    row.employee_id = UUID(hired.id)
    await _end(tx, row, InvitationState.ACCEPTED)
    return pb.AcceptInvitationResponse(
        enterprise_id=enterprise_id, employee_id=hired.id, account_id=hired.account_id
    )


async def decline(
    tx: Transaction, keyring: Keyring, wanted: Token | pb.InvitationRef, mine: Collection[bytes]
) -> pb.Invitation:
    """Declines an invitation to an address with one of these hashes. Raises InvitationInvalid."""
    row = await _answerable(tx, wanted, mine)
    await _end(tx, row, InvitationState.DECLINED)
    enterprise = await Enterprises(tx, row.tenant_id).get()
    return convert.invitation(
        row, enterprise, opened_address(await keyring.key(tx, row.tenant_id), row), tx.now
    )


async def get(tx: Snapshot, tenant_id: UUID, invitation_id: UUID, *, lock: bool = False) -> Invitation:
    """Answers the invitation; raises InvitationNotFound."""
    row = await Invitations(tx, tenant_id).get(invitation_id, lock=lock)
    if row is None:
        raise InvitationNotFound("The invitation does not exist.", field="invitation_id")
    return row


def state_of(row: Invitation, tx: Snapshot) -> str:
    """Answers where the invitation stands at this moment."""
    over = row.state == InvitationState.OPEN and row.expire_time <= tx.now
    return InvitationState.EXPIRED if over else row.state


def opened_address(key: DataKey, row: Invitation) -> str:
    """Decrypts the address."""
    return key.decrypt(row.address, _ADDRESS, row.tenant_id, row.id).decode()


def tenant_of(wanted: Token | pb.InvitationRef) -> UUID:
    """Answers the enterprise that the token or the reference names."""
    return wanted.tenant_id if isinstance(wanted, Token) else UUID(wanted.enterprise_id)


async def _decided(
    tx: Transaction, member_id: UUID, enterprise_id: str, invitation_id: str
) -> tuple[Enterprise, Invitation]:
    """Answers the locked enterprise, and the invitation if the member could make it.

    Raises InvitationNotFound and AppointmentAboveRight.
    """
    tenant_id = UUID(enterprise_id)
    enterprise, decider = await appointments.begin(tx, tenant_id, member_id)
    row = await get(tx, tenant_id, UUID(invitation_id), lock=True)
    if not appointing.may_hire(decider.title, row.title):
        raise AppointmentAboveRight("This title is not the caller's to give.", field="invitation_id")
    return enterprise, row


async def _require_places(
    tx: Transaction, tenant_id: UUID, inviter_id: UUID, places: Mapping[UUID, Role.ValueType]
) -> None:
    """Raises TeamNotFound, TeamArchived or AppointmentAboveRight for a place not the inviter's to give."""
    for team_id, role in places.items():
        team = await Teams(tx, tenant_id).get(team_id)
        access = await Rights(tx, tenant_id).of_member(inviter_id, team_id)
        if team is None or access is None or access.team is None:
            raise TeamNotFound("The team does not exist.", field="places")
        if team.archive_time is not None:
            raise TeamArchived("The team is archived.", field="places")
        if not appointing.may_give(appointing.standing_of(access), role):
            raise AppointmentAboveRight("This role is not the caller's to give.", field="places")


async def _answerable(
    tx: Transaction, wanted: Token | pb.InvitationRef, mine: Collection[bytes]
) -> Invitation:
    """Answers the open invitation, locked, that the member may answer; raises InvitationInvalid.

    The enterprise is locked first, as every appointment does, so that two never wait for each other.
    """
    tenant_id = tenant_of(wanted)
    await Enterprises(tx, tenant_id).lock()
    invitation_id = wanted.invitation_id if isinstance(wanted, Token) else UUID(wanted.invitation_id)
    row = await Invitations(tx, tenant_id).get(invitation_id, lock=True)
    if row is None or state_of(row, tx) != InvitationState.OPEN or row.address_hash not in mine:
        raise _invalid()
    if isinstance(wanted, Token) and not hmac.compare_digest(row.token_hash, wanted.digest):
        raise _invalid()
    return row


async def _end(tx: Transaction, row: Invitation, state: InvitationState) -> None:
    row.state, row.end_time = state, tx.now
    row.version += 1
    await Invitations(tx, row.tenant_id).unlist(row.id)
    tx.audit(f"invitation.{state.lower()}", tenant_id=row.tenant_id, target_id=row.id)
    events.invitation_changed(tx, row)


def _write(
    tx: Transaction, key: DataKey, enterprise: Enterprise, row: Invitation, address: str, locale: str
) -> None:
    """Queues a mail with a new token, by which alone the invitation is good from now on."""
    token = invitees.new_token(tx.clock, row.tenant_id, row.id)
    row.token_hash = token.digest
    row.mails += 1
    row.mail_time, row.expire_time = tx.now, tx.now + GOOD_FOR
    values = {"enterprise": enterprise.display_name, "token": token.text}
    letters.write_sealed(
        tx, key, SendMailRequest(address=address, template="invitation", values=values, locale=locale)
    )


def _invalid() -> InvitationInvalid:
    return InvitationInvalid(
        "The invitation is unknown, expired, used or revoked, or not to a verified address of yours."
    )
