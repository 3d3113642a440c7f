"""The states of an enterprise: suspended and reinstated by staff and by how it pays, closed by owners."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from chassis.crypto import Keyring
from chassis.database import Snapshot, Transaction
from chassis.errors import FailedPrecondition, NotFound
from services.enterprise import convert, events
from services.enterprise.errors import (
    AppointmentAboveRight,
    ClosingNotConfirmed,
    EnterpriseActive,
    EnterpriseClosed,
    EnterpriseSuspended,
    ReopeningTooLate,
)
from services.enterprise.models import Enterprise, EnterpriseStateChange
from services.enterprise.people import appointments
from services.enterprise.store import Employees, Enterprises, StateChanges
from wrtn.access.v1.access_pb2 import TITLE_OWNER
from wrtn.enterprise.v1 import enterprises_pb2 as pb
from wrtn.enterprise.v1 import events_pb2

REOPENING = timedelta(days=30)
"""How long a closed enterprise may be reopened."""

NOTE = "wrtn_enterprise_states.note"
"""The column, as encryption binds it."""

Fact = type[
    events_pb2.EnterpriseSuspended
    | events_pb2.EnterpriseReinstated
    | events_pb2.EnterpriseClosed
    | events_pb2.EnterpriseReopened
]

# Each verb: the state that it needs, the state that it makes, and what is told. Drawn in the README.
_TURNS: dict[str, tuple[int, int, Fact]] = {
    "suspended": (
        pb.ENTERPRISE_STATE_ACTIVE,
        pb.ENTERPRISE_STATE_SUSPENDED,
        events_pb2.EnterpriseSuspended,
    ),
    "reinstated": (
        pb.ENTERPRISE_STATE_SUSPENDED,
        pb.ENTERPRISE_STATE_ACTIVE,
        events_pb2.EnterpriseReinstated,
    ),
    "closed": (pb.ENTERPRISE_STATE_ACTIVE, pb.ENTERPRISE_STATE_CLOSED, events_pb2.EnterpriseClosed),
    "reopened": (pb.ENTERPRISE_STATE_CLOSED, pb.ENTERPRISE_STATE_ACTIVE, events_pb2.EnterpriseReopened),
}

_REFUSALS: dict[int, type[FailedPrecondition]] = {
    pb.ENTERPRISE_STATE_ACTIVE: EnterpriseActive,
    pb.ENTERPRISE_STATE_SUSPENDED: EnterpriseSuspended,
    pb.ENTERPRISE_STATE_CLOSED: EnterpriseClosed,
}


async def suspend(
    tx: Transaction, keyring: Keyring, staff_id: UUID, request: pb.SuspendEnterpriseRequest
) -> pb.Enterprise:
    """Suspends the enterprise. Raises NotFound, EnterpriseSuspended and EnterpriseClosed."""
    row = await _locked(tx, request.enterprise_id)
    return await _turn(tx, keyring, row, "suspended", staff_id, request.reason, request.cause)


async def reinstate(
    tx: Transaction, keyring: Keyring, staff_id: UUID, request: pb.ReinstateEnterpriseRequest
) -> pb.Enterprise:
    """Ends the suspension. Raises NotFound, EnterpriseActive and EnterpriseClosed."""
    row = await _locked(tx, request.enterprise_id)
    return await _turn(tx, keyring, row, "reinstated", staff_id, request.reason)


async def note_payment(tx: Transaction, enterprise_id: UUID, version: int, *, overdue: bool) -> None:
    """Suspends an active enterprise that has not paid, and reinstates one that was suspended so alone.

    What staff decided stays: billing's word neither ends their suspension nor undoes their reinstatement.
    """
    row = await Enterprises(tx, enterprise_id).lock()
    changes = StateChanges(tx, enterprise_id)
    if row is None or not await changes.note_standing(overdue, version):
        return
    if overdue and row.state == pb.ENTERPRISE_STATE_ACTIVE:
        verb, cause = "suspended", pb.SUSPENSION_CAUSE_PAYMENT
    elif not overdue and row.state == pb.ENTERPRISE_STATE_SUSPENDED and await _by_billing(changes):
        verb, cause = "reinstated", pb.SUSPENSION_CAUSE_UNSPECIFIED
    else:
        return
    _change(tx, row, verb, None, cause)
    tx.audit(f"enterprise.{verb}", tenant_id=enterprise_id, target_id=enterprise_id, cause=cause)


async def _by_billing(changes: StateChanges) -> bool:
    """Whether nobody decided the newest change."""
    return [each.decider_member_id for each in await changes.page(None, 1)] == [None]


async def close(
    tx: Transaction, keyring: Keyring, decider_id: UUID, request: pb.CloseEnterpriseRequest
) -> pb.Enterprise:
    """Closes the enterprise. Raises AppointmentAboveRight and ClosingNotConfirmed."""
    row, decider = await appointments.begin(tx, UUID(request.enterprise_id), decider_id)
    if decider.title < TITLE_OWNER:
        raise AppointmentAboveRight("An enterprise is closed by its owners.")
    if request.confirm_slug != row.slug:
        raise ClosingNotConfirmed("Type in the slug of the enterprise to close it.", field="confirm_slug")
    row.close_time = tx.now
    return await _turn(tx, keyring, row, "closed", decider_id, request.reason)


async def reopen(
    tx: Transaction, keyring: Keyring, member_id: UUID, request: pb.ReopenEnterpriseRequest
) -> pb.Enterprise:
    """Reopens the enterprise for an owner.

    Raises NotFound to all others, EnterpriseActive, EnterpriseSuspended and ReopeningTooLate.
    """
    row = await _locked(tx, request.enterprise_id)
    await require_owner(tx, row.tenant_id, member_id)
    if row.close_time is not None and row.close_time + REOPENING < tx.now:
        raise ReopeningTooLate("The enterprise was closed more than 30 days ago.")
    row.close_time = None
    return await _turn(tx, keyring, row, "reopened", member_id, request.reason)


def require_active(row: Enterprise | None) -> Enterprise:
    """Answers the enterprise; raises NotFound, EnterpriseSuspended or EnterpriseClosed."""
    if row is None:
        raise _not_found()
    if row.state != pb.ENTERPRISE_STATE_ACTIVE:
        raise _REFUSALS[row.state]("The enterprise is not active.")
    return row


async def require_owner(tx: Snapshot, tenant_id: UUID, member_id: UUID) -> None:
    """Raises NotFound to all but owners, whatever the state of the enterprise."""
    row = await Employees(tx, tenant_id).of_member(member_id)
    if row is None or row.title < TITLE_OWNER:
        raise _not_found()


def decided_by_staff(change: EnterpriseStateChange) -> bool:
    """Answers whether it is a suspension or its end."""
    return pb.ENTERPRISE_STATE_SUSPENDED in (change.state_before, change.state_after)


async def _locked(tx: Transaction, enterprise_id: str) -> Enterprise:
    row = await Enterprises(tx, UUID(enterprise_id)).lock()
    if row is None:
        raise _not_found()
    return row


def _not_found() -> NotFound:
    return NotFound("The enterprise does not exist.")


async def _turn(
    tx: Transaction,
    keyring: Keyring,
    row: Enterprise,
    verb: str,
    decider_id: UUID,
    reason: str,
    cause: int = pb.SUSPENSION_CAUSE_UNSPECIFIED,
) -> pb.Enterprise:
    """Changes the state with its record, its audit entry and its event; raises what the state allows not."""
    change = _change(tx, row, verb, decider_id, cause)
    if reason:
        key = await keyring.key(tx, row.tenant_id)
        change.note = key.encrypt(reason.encode(), NOTE, row.tenant_id, change.id)
    tx.audit(
        f"enterprise.{verb}", tenant_id=row.tenant_id, target_id=row.tenant_id, reason=reason, cause=cause
    )
    return convert.enterprise(row)


def _change(
    tx: Transaction, row: Enterprise, verb: str, decider_id: UUID | None, cause: int
) -> EnterpriseStateChange:
    needed, after, fact = _TURNS[verb]
    if row.state != needed:
        raise _REFUSALS[row.state]("The state of the enterprise does not allow it.")
    row.state = after
    row.version += 1
    change = EnterpriseStateChange(
        tenant_id=row.tenant_id,
        id=tx.clock.new_id(),
        state_before=needed,
        state_after=after,
        cause=cause,
        decider_member_id=decider_id,
        note=None,
        create_time=tx.now,
    )
    tx.session.add(change)
    events.enterprise_turned(tx, row, fact)
    return change
