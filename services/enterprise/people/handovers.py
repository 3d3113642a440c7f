"""Handing the accounts of dismissed employees over: a saga, since the accounts are identity's.

The dismissal is committed here first: from then on the accounts are frozen, since their holder is nobody in
the enterprise. Then identity is asked, by the call that dismissed and, if that fails, by a job until it
answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from chassis.crypto import Keyring
from chassis.database import Database, Scope, Transaction
from chassis.jobs import Job
from services.enterprise import convert, models
from services.enterprise.errors import (
    AppointmentAboveRight,
    EmployeeActive,
    EmployeeNotFound,
    NothingToHandOver,
    SuccessorNotFound,
)
from services.enterprise.identity import Identity, Transfer
from services.enterprise.models import Employee, Handover, HandoverState
from services.enterprise.people import appointing, appointments
from services.enterprise.store import Appointments, Employees, Handovers, tenants_handing_over
from wrtn.access.v1.access_pb2 import TITLE_UNSPECIFIED
from wrtn.enterprise.v1.employees_pb2 import HandOverAccountsRequest, HandOverAccountsResponse

_EVERY = timedelta(seconds=5)


async def successor_of(tx: Transaction, row: Employee, successor_id: str) -> Employee | None:
    """Answers the employee who is named as successor, None if none is; raises SuccessorNotFound."""
    if not successor_id:
        return None
    found = await Employees(tx, row.tenant_id).get(UUID(successor_id))
    if found is None or found.title == TITLE_UNSPECIFIED or found.id == row.id:
        raise SuccessorNotFound("The successor does not exist.", field="successor_employee_id")
    return found


async def begin(
    tx: Transaction, row: Employee, successor: Employee, decider_member_id: UUID
) -> Sequence[Handover]:
    """Hands every account that the dismissed employee holds, and that is not on its way, to the successor."""
    known = Handovers(tx, row.tenant_id)
    going = {each.account_id for each in await known.pending(row.id)}
    begun = [
        Handover(
            tenant_id=row.tenant_id,
            id=tx.clock.new_id(),
            employee_id=row.id,
            account_id=account_id,
            successor_employee_id=successor.id,
            decider_member_id=decider_member_id,
            state=HandoverState.PENDING,
            create_time=tx.now,
            update_time=tx.now,
        )
        for account_id in sorted(await known.accounts_of(row) - going)
    ]
    tx.session.add_all(begun)
    for each in begun:
        tx.audit(
            "account.handed_over",
            tenant_id=row.tenant_id,
            target_id=each.account_id,
            employee_id=row.id,
            successor_employee_id=successor.id,
        )
    return begun


async def refuse_to(tx: Transaction, row: Employee) -> None:
    """Ends as refused what is on its way to an employee who has just been dismissed."""
    await Handovers(tx, row.tenant_id).refuse_to(row.id)


async def hand_over(
    tx: Transaction, keyring: Keyring, decider_id: UUID, request: HandOverAccountsRequest
) -> HandOverAccountsResponse:
    """Names a successor for one who was dismissed without.

    Raises EmployeeNotFound, EmployeeActive, AppointmentAboveRight, SuccessorNotFound and NothingToHandOver.
    """
    tenant_id = UUID(request.enterprise_id)
    _, decider = await appointments.begin(tx, tenant_id, decider_id)
    row = await Employees(tx, tenant_id).get(UUID(request.employee_id))
    if row is None:
        raise EmployeeNotFound("The employee does not exist.", field="employee_id")
    if row.title != TITLE_UNSPECIFIED:
        raise EmployeeActive("The employee is employed.", field="employee_id")
    last_title = await Appointments(tx, tenant_id).last_title(row.id)
    if not appointing.may_hire(decider.title, last_title):
        raise AppointmentAboveRight("These accounts are not the caller's to hand over.", field="employee_id")
    successor = await successor_of(tx, row, request.successor_employee_id)
    if successor is None:
        raise SuccessorNotFound("The successor does not exist.", field="successor_employee_id")
    begun = await begin(tx, row, successor, decider.member_id)
    if not begun:
        raise NothingToHandOver("No account of the employee is frozen.", field="employee_id")
    return HandOverAccountsResponse(handovers=[convert.handover(each) for each in begun])


@dataclass(frozen=True, slots=True)
class HandoverSaga:
    """Asks identity for what is pending. `worker` is the worker role's database, which lists tenants."""

    database: Database
    worker: Database
    identity: Identity

    def job(self) -> Job:
        """Answers the job that goes on where calls were broken off."""
        return Job("handovers", _EVERY, self.run)

    async def run(self) -> None:
        """Goes on with every pending handover, enterprise by enterprise."""
        async with self.worker.snapshot(Scope()) as tx:
            tenant_ids = await tenants_handing_over(tx)
        for tenant_id in tenant_ids:
            await self.advance(tenant_id)

    async def advance(self, tenant_id: UUID, employee_id: UUID | None = None) -> None:
        """Asks identity once for each pending handover, of one employee if named. It may be repeated."""
        async with self.database.snapshot(Scope.of(tenant_id)) as tx:
            pending = await Handovers(tx, tenant_id).pending(employee_id)
            transfers = [(each, await _transfer(Employees(tx, tenant_id), each)) for each in pending]
        for handover, transfer in transfers:
            state = await self.identity.transfer_account(transfer)
            if state is not None:
                await self._settle(handover, transfer, state)

    async def _settle(self, handover: models.Handover, transfer: Transfer, state: HandoverState) -> None:
        async with self.database.transaction(Scope.of(handover.tenant_id)) as tx:
            known = Handovers(tx, handover.tenant_id)
            if await known.settle(handover.id, state) and state is HandoverState.DONE:
                await known.hold_now(handover.account_id, transfer.receiver_member_id)


async def _transfer(employees: Employees, handover: Handover) -> Transfer:
    """Answers what identity is asked for. Both employees are there: foreign keys say so."""
    holder = await employees.get(handover.employee_id)
    receiver = await employees.get(handover.successor_employee_id)
    if holder is None or receiver is None:
        raise LookupError("a handover names employees that are not there")
    return Transfer(
        handover.id,
        handover.tenant_id,
        handover.account_id,
        holder.member_id,
        receiver.member_id,
        handover.decider_member_id,
    )
