"""Appointments: what every one of them begins with, and the record that it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from chassis.call import Access
from chassis.crypto import KeyDestroyed, Keyring
from chassis.database import Snapshot, Transaction
from chassis.errors import NotFound
from services.enterprise.models import Appointment, Enterprise
from services.enterprise.store import Enterprises, Rights
from wrtn.access.v1.access_pb2 import ROLE_UNSPECIFIED, TITLE_UNSPECIFIED

_REASON = "wrtn_appointments.reason"


@dataclass(frozen=True, slots=True)
class Act:
    """What an appointment changes: title or duties, or the role in the team. The numbers are the protos'."""

    employee_id: UUID
    decider_id: UUID
    reason: str = ""
    title_before: int = TITLE_UNSPECIFIED
    title_after: int = TITLE_UNSPECIFIED
    team_id: UUID | None = None
    role_before: int = ROLE_UNSPECIFIED
    role_after: int = ROLE_UNSPECIFIED
    duties_before: Sequence[int] = ()
    duties_after: Sequence[int] = ()


async def begin(
    tx: Transaction, tenant_id: UUID, account_id: UUID, team_id: UUID | None = None
) -> tuple[Enterprise, Access]:
    """Answers the enterprise, locked against other appointments, and what the deciding account is now.

    The order matters: rights that are read behind the lock are those after every earlier appointment, never
    a cache's. Raises NotFound, as the interceptor does, if the account is no employee's any more.
    """
    enterprise = await Enterprises(tx, tenant_id).lock()
    decider = await Rights(tx, tenant_id).of(account_id, team_id)
    if enterprise is None or decider is None:
        raise NotFound("The enterprise does not exist.")
    return enterprise, decider


def next_sequence(enterprise: Enterprise) -> int:
    """Takes the next place in the order of the locked enterprise's appointments; rolling back returns it."""
    enterprise.last_appointment += 1
    return enterprise.last_appointment


async def record(tx: Transaction, keyring: Keyring, tenant_id: UUID, sequence: int, act: Act) -> None:
    """Adds the record of the act, its reason under the enterprise's key."""
    row = Appointment(
        tenant_id=tenant_id,
        id=tx.clock.new_id(),
        sequence=sequence,
        employee_id=act.employee_id,
        team_id=act.team_id,
        title_before=act.title_before,
        title_after=act.title_after,
        role_before=act.role_before,
        role_after=act.role_after,
        duties_before=list(act.duties_before),
        duties_after=list(act.duties_after),
        decider_employee_id=act.decider_id,
        reason=None,
        create_time=tx.now,
    )
    if act.reason:
        key = await keyring.key(tx, tenant_id)
        row.reason = key.encrypt(act.reason.encode(), _REASON, tenant_id, row.id)
    # What the record refers to must be there before it.
    await tx.session.flush()
    tx.session.add(row)


async def reasons(tx: Snapshot, keyring: Keyring, rows: Sequence[Appointment]) -> list[str]:
    """Answers the reasons of one enterprise's records; empty if nothing was said or the key is destroyed."""
    said = next((row for row in rows if row.reason is not None), None)
    if said is None:
        return [""] * len(rows)
    try:
        key = await keyring.key(tx, said.tenant_id)
    except KeyDestroyed:
        return [""] * len(rows)
    return [
        key.decrypt(row.reason, _REASON, row.tenant_id, row.id).decode() if row.reason is not None else ""
        for row in rows
    ]
