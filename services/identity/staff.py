"""Staff: who looks after the suite. Their appointments are kept for good."""

from __future__ import annotations

from uuid import UUID

from chassis.database import Transaction
from services.identity import events
from services.identity.models import StaffAppointment
from services.identity.store import Members


async def appoint(tx: Transaction, member_id: UUID, right: int, decider_member_id: UUID | None) -> bool:
    """Gives an active member a wrtn.access.v1.StaffRight; False if that changes nothing."""
    changed = await Members(tx).appoint(member_id, right)
    if changed is None:
        return False
    version, before = changed
    appointment = StaffAppointment(
        member_id=member_id,
        version=version,
        right_before=before,
        right_after=right,
        decider_member_id=decider_member_id,
        create_time=tx.now,
    )
    tx.session.add(appointment)
    events.staff_appointed(tx, member_id, version)
    return True
