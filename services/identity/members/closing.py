"""Ending a membership. The personal data stays until the member is erased, and so do the addresses."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from chassis.crypto import Keyring
from chassis.database import Transaction
from services.identity import events
from services.identity.errors import MemberIsStaff, MemberStateRefused
from services.identity.logins import logins
from services.identity.mail import mails
from services.identity.mail.post import Post
from services.identity.members import members
from services.identity.models import LoginEnd, Member, MemberState
from services.identity.store import Members


async def close(
    tx: Transaction, keyring: Keyring, post: Post, member_id: UUID
) -> tuple[Member, Sequence[UUID]]:
    """Closes the scope's member, who has given the password again; answers them and the logins that ended.

    Raises MemberIsStaff, and MemberStateRefused for one who was suspended or closed in the meantime.
    """
    member = await Members(tx).lock(member_id)
    if member is None:
        raise members.not_found()
    if member.state != MemberState.ACTIVE:
        raise MemberStateRefused("Only an active membership can be closed.", field="member_id")
    if member.staff_right:
        raise MemberIsStaff("The member holds a right as staff; have it taken first.", field="member_id")
    await mails.to_member(tx, keyring, post, member_id, "member_closed", {})
    ended = await logins.end_all(tx, member_id, LoginEnd.MEMBER_CLOSED)
    member.state = MemberState.CLOSED
    member.close_time = tx.now
    member.version += 1
    tx.audit("member.closed", tenant_id=member_id, target_id=member_id)
    events.member_closed(tx, member_id, member.version)
    return member, ended
