"""Holds: staff hold a member back for a reason, and let them go on. A record of it is kept for good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.crypto import Keyring
from chassis.database import Snapshot, Transaction
from services.identity import events
from services.identity.errors import MemberIsStaff, MemberStateRefused
from services.identity.mail import mails
from services.identity.mail.post import Post
from services.identity.members import members
from services.identity.models import HoldAction, Member, MemberState, Suspension
from services.identity.store import Holds, Members

_NOTE = "note"
"""The context that binds a ciphertext to its column."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a member of staff orders. `reason` is a wrtn.identity.v1.Hold.Reason, without its prefix."""

    member_id: UUID
    reason: str
    note: str
    decider_member_id: UUID


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the record, with its note in plain text."""

    row: Suspension
    note: str


async def suspend(tx: Transaction, keyring: Keyring, post: Post, order: Order) -> Member:
    """Places a hold on the scope's member and answers them; a hold that there is already changes nothing.

    Raises MemberNotFound, MemberIsStaff, and MemberStateRefused for one who is pending or closed.
    """
    member = await _locked(tx, order.member_id)
    if member.staff_right:
        raise MemberIsStaff("The member holds a right as staff; take it first.", field="member_id")
    if member.state not in (MemberState.ACTIVE, MemberState.SUSPENDED):
        raise MemberStateRefused("A member who is pending or closed is not suspended.", field="member_id")
    if not await Holds(tx).place(member.id, order.reason, tx.now):
        return _unchanged(tx, member, order)
    await _note_down(tx, keyring, order, HoldAction.PLACED)
    if member.state == MemberState.ACTIVE:
        member.state = MemberState.SUSPENDED
        member.version += 1
        events.member_suspended(tx, member.id, member.version)
        await mails.to_member(tx, keyring, post, member.id, "member_suspended", {})
    return member


async def reinstate(tx: Transaction, keyring: Keyring, post: Post, order: Order) -> Member:
    """Lifts a hold on the scope's member and answers them; the last one lifted lets them go on.

    Raises MemberNotFound.
    """
    member = await _locked(tx, order.member_id)
    if not await Holds(tx).lift(member.id, order.reason):
        return _unchanged(tx, member, order)
    await _note_down(tx, keyring, order, HoldAction.LIFTED)
    if member.state == MemberState.SUSPENDED and not await Holds(tx).all(member.id):
        member.state = MemberState.ACTIVE
        member.version += 1
        events.member_reinstated(tx, member.id, member.version)
        await mails.to_member(tx, keyring, post, member.id, "member_reinstated", {})
    return member


async def record(
    snapshot: Snapshot, keyring: Keyring, member_id: UUID, before: tuple[datetime, UUID] | None, most: int
) -> Sequence[Entry]:
    """Answers what was done to the scope's member, the newest first; raises MemberNotFound."""
    member = await members.get(snapshot, member_id)
    rows = await Holds(snapshot).record(member_id, before, most)
    if member.state == MemberState.ERASED:
        return [Entry(row, "") for row in rows]
    key = await keyring.key(snapshot, member_id)
    return [Entry(row, key.decrypt(row.note, member_id, row.id, _NOTE).decode()) for row in rows]


async def _locked(tx: Transaction, member_id: UUID) -> Member:
    member = await Members(tx).lock(member_id)
    if member is None:
        raise members.not_found()
    return member


def _unchanged(tx: Transaction, member: Member, order: Order) -> Member:
    """Answers the member, whom staff have seen by it."""
    tx.audit("hold.unchanged", tenant_id=member.id, target_id=member.id, reason=order.note, hold=order.reason)
    return member


async def _note_down(tx: Transaction, keyring: Keyring, order: Order, action: HoldAction) -> None:
    verb = "hold.placed" if action == HoldAction.PLACED else "hold.lifted"
    tx.audit(verb, tenant_id=order.member_id, target_id=order.member_id, reason=order.note, hold=order.reason)
    key = await keyring.key(tx, order.member_id)
    entry_id = tx.clock.new_id()
    tx.session.add(
        Suspension(
            member_id=order.member_id,
            id=entry_id,
            action=action,
            reason=order.reason,
            note=key.encrypt(order.note.encode(), order.member_id, entry_id, _NOTE),
            decider_member_id=order.decider_member_id,
            create_time=tx.now,
        )
    )
