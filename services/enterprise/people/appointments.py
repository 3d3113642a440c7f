"""Appointments: what every one of them begins with, and the record that it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.call import Access
from chassis.crypto import KeyDestroyed, Keyring
from chassis.database import Snapshot, Transaction
from chassis.errors import NotFound
from services.enterprise.errors import EmployeeNotFound
from services.enterprise.models import Appointment, Employee, Enterprise
from services.enterprise.store import Employees, Enterprises, Rights
from wrtn.access.v1.access_pb2 import ROLE_UNSPECIFIED, TITLE_UNSPECIFIED

_REASON = "wrtn_appointments.reason"


@dataclass(frozen=True, slots=True)
class Key:
    """An API key of the enterprise that decides, as the one that its directory provisions people with."""

    credential_id: UUID


Decider = UUID | Key
"""Who decides: the employee, or a key."""


@dataclass(frozen=True, slots=True)
class Act:
    """What an appointment changes: title or duties, or the role in the team. The numbers are the protos'."""

    action: str
    """What the audit trail calls it, "employee.hired"."""
    employee_id: UUID
    decider_id: Decider
    reason: str = ""
    title_before: int = TITLE_UNSPECIFIED
    title_after: int = TITLE_UNSPECIFIED
    team_id: UUID | None = None
    role_before: int = ROLE_UNSPECIFIED
    role_after: int = ROLE_UNSPECIFIED
    duties_before: Sequence[int] = ()
    duties_after: Sequence[int] = ()
    absent_id: UUID | None = None
    until: datetime | None = None
    successor_id: UUID | None = None


async def begin(
    tx: Transaction, tenant_id: UUID, member_id: UUID, team_id: UUID | None = None
) -> tuple[Enterprise, Access]:
    """Answers the enterprise, locked against other appointments, and what the deciding member is there now.

    The order matters: rights that are read behind the lock are those after every earlier appointment, never
    a cache's. Raises NotFound, as the interceptor does, if the member is employed no more.
    """
    enterprise = await Enterprises(tx, tenant_id).lock()
    decider = await Rights(tx, tenant_id).of_member(member_id, team_id)
    if enterprise is None or decider is None:
        raise NotFound("The enterprise does not exist.")
    return enterprise, decider


async def employed(
    tx: Transaction, tenant_id: UUID, employee_id: str, *, field: str = "employee_id"
) -> Employee:
    """Answers the employee; raises EmployeeNotFound for an unknown one, and for one who was dismissed."""
    row = await Employees(tx, tenant_id).get(UUID(employee_id))
    if row is None or row.title == TITLE_UNSPECIFIED:
        raise EmployeeNotFound("The employee does not exist.", field=field)
    return row


def next_sequence(enterprise: Enterprise) -> int:
    """Answers the place that the locked enterprise's next record will have; rolling back returns it."""
    return enterprise.last_appointment + 1


def next_moment(tx: Transaction, enterprise: Enterprise) -> datetime:
    """Answers the time of a record: that of the transaction, or of the newest record if that is later.

    A transaction that began first may get the lock last. What was so at a moment is asked by time, so times
    go with sequences.
    """
    return max(enterprise.last_change_time, tx.now)


def moment(tx: Transaction, enterprise: Enterprise) -> datetime:
    """Takes the time of a record, which no later one will go before."""
    enterprise.last_change_time = next_moment(tx, enterprise)
    return enterprise.last_change_time


async def record(tx: Transaction, keyring: Keyring, enterprise: Enterprise, act: Act) -> None:
    """Adds the record of the act and its audit entry, the reason under the enterprise's key."""
    tenant_id = enterprise.tenant_id
    enterprise.last_appointment = next_sequence(enterprise)
    row = Appointment(
        tenant_id=tenant_id,
        id=tx.clock.new_id(),
        sequence=enterprise.last_appointment,
        employee_id=act.employee_id,
        team_id=act.team_id,
        title_before=act.title_before,
        title_after=act.title_after,
        role_before=act.role_before,
        role_after=act.role_after,
        duties_before=list(act.duties_before),
        duties_after=list(act.duties_after),
        absent_employee_id=act.absent_id,
        until_time=act.until,
        successor_employee_id=act.successor_id,
        **deciders(act.decider_id),
        reason=None,
        create_time=moment(tx, enterprise),
    )
    if act.reason:
        key = await keyring.key(tx, tenant_id)
        row.reason = key.encrypt(act.reason.encode(), _REASON, tenant_id, row.id)
    # What the record refers to must be there before it.
    await tx.session.flush()
    tx.session.add(row)
    tx.audit(
        act.action, tenant_id=tenant_id, target_id=act.employee_id, reason=act.reason, sequence=row.sequence
    )


def deciders(decider: Decider) -> dict[str, UUID | None]:
    """Answers the columns that say who decided."""
    if isinstance(decider, Key):
        return {"decider_employee_id": None, "decider_credential_id": decider.credential_id}
    return {"decider_employee_id": decider, "decider_credential_id": None}


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
