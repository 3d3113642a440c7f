"""Deputies: employees with the rights of an absent one until a set end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, timedelta
from uuid import UUID

from chassis.call import Access
from chassis.crypto import Keyring
from chassis.database import Transaction
from services.enterprise import convert, events, models
from services.enterprise.errors import (
    AppointmentAboveRight,
    DeputyNotFound,
    DeputyOfThemself,
    DeputyTimeInvalid,
    NothingToStandInFor,
    TeamNotFound,
)
from services.enterprise.people import appointing, appointments
from services.enterprise.people.appointments import Act
from services.enterprise.store import Companions, Deputies
from wrtn.access.v1.access_pb2 import ROLE_MANAGER, ROLE_UNSPECIFIED, TITLE_MANAGER, TITLE_UNSPECIFIED
from wrtn.enterprise.v1.deputies_pb2 import AppointDeputyRequest, Deputy, EndDeputyRequest

LONGEST = timedelta(days=366)
"""How long somebody may stand in at most."""


async def appoint(
    tx: Transaction, keyring: Keyring, decider_id: UUID, request: AppointDeputyRequest
) -> Deputy:
    """Has an employee stand in for an absent one; an earlier deputyship of the two for the same ends.

    Raises DeputyOfThemself, DeputyTimeInvalid, TeamNotFound, EmployeeNotFound, NothingToStandInFor and
    AppointmentAboveRight.
    """
    tenant_id = UUID(request.enterprise_id)
    team_id = UUID(request.team_id) if request.team_id else None
    if request.employee_id == request.absent_employee_id:
        raise DeputyOfThemself("Nobody stands in for themself.", field="employee_id")
    end_time = request.end_time.ToDatetime(tzinfo=UTC)
    if not tx.now < end_time <= tx.now + LONGEST:
        raise DeputyTimeInvalid("The end must be in the future, within a year.", field="end_time")
    enterprise, decider = await appointments.begin(tx, tenant_id, decider_id, team_id)
    deputy = await appointments.employed(tx, tenant_id, request.employee_id)
    absent = await appointments.employed(
        tx, tenant_id, request.absent_employee_id, field="absent_employee_id"
    )
    row = await _right_of(tx, decider, absent, team_id)
    if deputy.id == decider.employee_id or not _may_give(decider, row):
        raise AppointmentAboveRight("This deputy is not the caller's to appoint.", field="employee_id")
    row.employee_id, row.end_time = deputy.id, end_time
    act = Act("deputy.appointed", deputy.id, decider.employee_id, request.reason)
    earlier = await Deputies(tx, tenant_id).of_pair(deputy.id, absent.id, team_id)
    await _end(tx, keyring, enterprise, earlier, act)
    tx.session.add(row)
    await _record(tx, keyring, enterprise, row, replace(act, until=end_time), begins=True)
    events.deputy_appointed(tx, row)
    return convert.deputy(row)


async def end(tx: Transaction, keyring: Keyring, decider_id: UUID, request: EndDeputyRequest) -> Deputy:
    """Ends the deputyship if it is not over. Raises DeputyNotFound and AppointmentAboveRight."""
    tenant_id = UUID(request.enterprise_id)
    row = await Deputies(tx, tenant_id).get(UUID(request.deputy_id))
    if row is None:
        raise DeputyNotFound("The deputyship does not exist.", field="deputy_id")
    enterprise, decider = await appointments.begin(tx, tenant_id, decider_id, row.team_id)
    await tx.session.refresh(row)
    concerned = decider.employee_id in (row.employee_id, row.absent_employee_id)
    if not concerned and not _may_give(decider, row):
        raise AppointmentAboveRight("This deputyship is not the caller's to end.", field="deputy_id")
    if row.end_time > tx.now:
        act = Act("deputy.ended", row.employee_id, decider.employee_id, request.reason)
        await _end(tx, keyring, enterprise, [row], act)
    return convert.deputy(row)


async def end_where_void(
    tx: Transaction, keyring: Keyring, enterprise: models.Enterprise, change: Act
) -> None:
    """Ends what others stand in for with an employee who has just lost that title or role, or changed it."""
    standing = await Deputies(tx, enterprise.tenant_id).for_absent(change.employee_id, change.team_id)
    void = [
        row
        for row in standing
        if (change.team_id is None and change.title_after != row.title)
        or (change.team_id is not None and change.role_after != row.role)
    ]
    await _end(tx, keyring, enterprise, void, change)


async def end_all(tx: Transaction, keyring: Keyring, enterprise: models.Enterprise, dismissal: Act) -> None:
    """Ends every deputyship of and for the dismissed employee."""
    rows = await Deputies(tx, enterprise.tenant_id).of_employee(dismissal.employee_id)
    await _end(tx, keyring, enterprise, rows, dismissal)


async def _right_of(
    tx: Transaction, decider: Access, absent: models.Employee, team_id: UUID | None
) -> models.Deputy:
    """Answers the deputyship for what the absent one is, its deputy and end yet to be set."""
    title, role = absent.title, int(ROLE_UNSPECIFIED)
    if team_id is not None:
        if decider.team is None:
            raise TeamNotFound("The team does not exist.", field="team_id")
        companion = await Companions(tx, absent.tenant_id).get(team_id, absent.id)
        title, role = TITLE_UNSPECIFIED, companion.role if companion is not None else 0
    if role < ROLE_MANAGER and title != TITLE_MANAGER:
        raise NothingToStandInFor("The absent one is no chief or manager there.", field="absent_employee_id")
    return models.Deputy(
        tenant_id=absent.tenant_id,
        id=tx.clock.new_id(),
        absent_employee_id=absent.id,
        team_id=team_id,
        title=title,
        role=role,
        version=1,
        create_time=tx.now,
    )


def _may_give(decider: Access, row: models.Deputy) -> bool:
    if row.team_id is None:
        return appointing.may_hire(decider.title, row.title)
    return appointing.may_give(appointing.standing_of(decider), row.role)


async def _end(
    tx: Transaction,
    keyring: Keyring,
    enterprise: models.Enterprise,
    rows: Iterable[models.Deputy],
    because: Act,
) -> None:
    """Ends these deputyships now, with a record of each, and tells of it."""
    for row in rows:
        row.end_time = max(tx.now, row.create_time)
        row.version += 1
        act = Act("deputy.ended", row.employee_id, because.decider_id, because.reason)
        await _record(tx, keyring, enterprise, row, act, begins=False)
        events.deputy_ended(tx, row)


async def _record(
    tx: Transaction,
    keyring: Keyring,
    enterprise: models.Enterprise,
    row: models.Deputy,
    act: Act,
    *,
    begins: bool,
) -> None:
    """Records that the deputy has the title or role from now on, or has it no more."""
    act = replace(act, team_id=row.team_id, absent_id=row.absent_employee_id)
    if begins:
        act = replace(act, title_after=row.title, role_after=row.role)
    else:
        act = replace(act, title_before=row.title, role_before=row.role)
    await appointments.record(tx, keyring, enterprise, act)
