"""Changing a password, and setting a new one by a token that was mailed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import NoReturn
from uuid import UUID

from chassis.crypto import Keyring
from chassis.database import Snapshot, Transaction
from services.identity import bearers
from services.identity.errors import PasswordWrong, ResetRefused
from services.identity.logins import devices, logins
from services.identity.mail import mails
from services.identity.mail.letters import LOCALE
from services.identity.mail.post import Post
from services.identity.members import addresses, members
from services.identity.models import PLATFORM, LoginEnd, Member, MemberState, PasswordReset
from services.identity.store import Members, Resets, admit_member

LIFETIME = timedelta(hours=1)
PAUSE = timedelta(minutes=1)
MOST = 5
"""Mails to one address in LIFETIME. Whoever has to wait has had one that is still good."""
_RESETTABLE = (MemberState.ACTIVE, MemberState.SUSPENDED)


async def change(
    tx: Transaction, keyring: Keyring, post: Post, before: Member, password_hash: str, login_id: UUID
) -> Sequence[UUID]:
    """Gives the member another password and ends all logins but this one; answers which.

    Raises PasswordWrong if the password was changed since `before` was read: the current one is another.
    """
    member = await Members(tx).lock(before.id)
    if member is None or member.password_hash != before.password_hash:
        raise PasswordWrong("The password was changed meanwhile.", field="current_password")
    tx.audit("password.changed", tenant_id=member.id, target_id=member.id)
    member.password_hash = password_hash
    return await _ended(tx, keyring, post, member.id, LoginEnd.PASSWORD_CHANGED, but=login_id)


async def request(tx: Transaction, keyring: Keyring, post: Post, address: str) -> None:
    """Mails a token to the address, or that nobody has proven it: the same work, also for the unknown.

    The transaction's scope is its owner's from then on, or the platform's.
    """
    address_hash = keyring.lookup(addresses.PURPOSE, addresses.same(address))
    owner = await Members(tx).owner_of(address_hash) or PLATFORM
    await admit_member(tx, owner)
    mailed = await Resets(tx, owner).mailed(address_hash, tx.now - LIFETIME)
    if len(mailed) >= MOST or (mailed and mailed[0] > tx.now - PAUSE):
        return
    member = await Members(tx).get(owner)
    token = bearers.bearer(bearers.RESET, owner, tx.clock)
    tx.session.add(
        PasswordReset(
            member_id=owner,
            token_hash=bearers.digest(token),
            address_hash=address_hash,
            expire_time=tx.now + LIFETIME,
            create_time=tx.now,
        )
    )
    known = member is not None and member.state in _RESETTABLE
    locale = member.locale if member is not None else LOCALE
    letter = post.letter("reset_password" if known else "reset_unknown", locale, {"token": token})
    post.queue(tx, await keyring.key(tx, owner), address, letter)


async def check_token(snapshot: Snapshot, member_id: UUID, token: str) -> Member:
    """Answers whose password the token can reset at this moment; raises ResetRefused."""
    member = await Members(snapshot).get(member_id)
    if member is None or member.state not in _RESETTABLE:
        refuse()
    if not await Resets(snapshot, member_id).good(bearers.digest(token), snapshot.now):
        refuse()
    return member


async def reset(
    tx: Transaction, keyring: Keyring, post: Post, member_id: UUID, token: str, password_hash: str
) -> Sequence[UUID]:
    """Uses the token, sets the password and ends all logins; answers which. Raises ResetRefused."""
    member = await Members(tx).lock(member_id)
    if member is None or member.state not in _RESETTABLE:
        refuse()
    if not await Resets(tx, member_id).use(bearers.digest(token), tx.now):
        refuse()
    await Resets(tx, member_id).void(tx.now)
    tx.audit("password.reset", tenant_id=member_id, target_id=member_id)
    member.password_hash = password_hash
    return await _ended(tx, keyring, post, member_id, LoginEnd.PASSWORD_RESET)


def refuse() -> NoReturn:
    """Raises the one answer for every token that resets nothing."""
    raise ResetRefused("The token is unknown, used or expired; ask for another.", field="token")


async def hints(snapshot: Snapshot, keyring: Keyring, member: Member) -> Sequence[str]:
    """Answers the member's name and addresses, of which a password must not be made."""
    profile = await members.profile(snapshot, keyring, member, own=True)
    return [profile.display_name, *(address for _, address in profile.emails)]


async def _ended(
    tx: Transaction,
    keyring: Keyring,
    post: Post,
    member_id: UUID,
    reason: LoginEnd,
    *,
    but: UUID | None = None,
) -> Sequence[UUID]:
    await tx.session.flush()
    # Whoever knew the old password may have made a device known by it.
    await devices.forget_all(tx, member_id)
    await mails.to_member(tx, keyring, post, member_id, "password_changed", {})
    return await logins.end_all(tx, member_id, reason, but=but)
