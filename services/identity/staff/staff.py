"""Staff: who looks after the suite. Their appointments are kept for good."""

from __future__ import annotations

from uuid import UUID

from chassis.crypto import Keyring
from chassis.database import Snapshot, Transaction
from services.identity import events
from services.identity.errors import (
    AppointingOneself,
    LastAdministrator,
    NotAdministrator,
    StaffNotFound,
)
from services.identity.members import members
from services.identity.models import PLATFORM, MemberState, Staff, StaffAppointment
from services.identity.store import Members, Staffs
from wrtn.access.v1.access_pb2 import STAFF_RIGHT_ADMINISTRATOR, STAFF_RIGHT_UNSPECIFIED

_REASON = "staff_appointment.reason"
"""The context that binds a ciphertext to its column."""


async def appoint(
    tx: Transaction,
    keyring: Keyring,
    member_id: UUID,
    right: int,
    decider_member_id: UUID | None,
    reason: str = "",
) -> bool:
    """Gives the scope's member a wrtn.access.v1.StaffRight; False if that changes nothing.

    The scope's tenant is the platform's. Raises MemberNotFound unless the member is active, NotAdministrator
    if the decider is none by now, AppointingOneself, and LastAdministrator.
    """
    administrators = await Staffs(tx).lock_administrators()
    if decider_member_id is not None and decider_member_id not in administrators:
        raise NotAdministrator("The caller is no administrator any more.")
    if right and decider_member_id == member_id:
        raise AppointingOneself("Nobody appoints themself.", field="member_id")
    if right < STAFF_RIGHT_ADMINISTRATOR and administrators == {member_id}:
        raise LastAdministrator("Appoint another administrator first: one has to stay.")
    if (await members.get(tx, member_id)).state != MemberState.ACTIVE:
        raise members.not_found()
    changed = await Members(tx).appoint(member_id, right)
    if changed is None:
        tx.audit("staff.unchanged", tenant_id=PLATFORM, target_id=member_id, reason=reason)
        return False
    version, before = changed
    await Staffs(tx).put(member_id, right, tx.now)
    appointment = StaffAppointment(
        tenant_id=PLATFORM,
        member_id=member_id,
        version=version,
        right_before=before,
        right_after=right,
        decider_member_id=decider_member_id,
        create_time=tx.now,
    )
    if reason:
        key = await keyring.key(tx, PLATFORM)
        appointment.reason = key.encrypt(reason.encode(), _REASON, member_id, str(version))
    tx.session.add(appointment)
    events.staff_appointed(tx, member_id, version)
    tx.audit(
        "staff.appointed" if right else "staff.dismissed",
        tenant_id=PLATFORM,
        target_id=member_id,
        reason=reason,
        right_before=before,
        right_after=right,
    )
    return True


async def dismiss(tx: Transaction, keyring: Keyring, member_id: UUID, decider: UUID, reason: str) -> None:
    """Takes the right of the scope's member; raises StaffNotFound for who has none, and as `appoint` does."""
    if await Staffs(tx).get(member_id) is None:
        raise StaffNotFound("The member is not staff.", field="member_id")
    await appoint(tx, keyring, member_id, STAFF_RIGHT_UNSPECIFIED, decider, reason)


async def get(snapshot: Snapshot, member_id: UUID) -> Staff:
    """Answers a member of staff; raises StaffNotFound."""
    found = await Staffs(snapshot).get(member_id)
    if found is None:
        raise StaffNotFound("The member is not staff.", field="member_id")
    return found


async def reason_of(snapshot: Snapshot, keyring: Keyring, row: StaffAppointment) -> str:
    """Answers why somebody was appointed; empty if nothing was said."""
    if row.reason is None:
        return ""
    key = await keyring.key(snapshot, PLATFORM)
    return key.decrypt(row.reason, _REASON, row.member_id, str(row.version)).decode()
