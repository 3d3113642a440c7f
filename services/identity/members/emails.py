"""The further addresses of a member: adding, verifying again, making primary, removing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from chassis.crypto import DataKey, Keyring
from chassis.database import Snapshot, Transaction
from services.identity import events
from services.identity.errors import (
    EmailExists,
    EmailLastVerified,
    EmailNotFound,
    EmailNotVerified,
    EmailPrimary,
    EmailsExhausted,
    EmailVerified,
    VerificationThrottled,
)
from services.identity.mail.post import Post
from services.identity.members import members
from services.identity.models import Email, Member
from services.identity.store import Emails, Members

MOST = 10
"""How many addresses a member may have."""
PAUSE = timedelta(minutes=1)
"""Between two verifications mailed to one address."""
DAY = timedelta(days=1)
A_DAY = 10
"""How many verifications a member may have mailed in a day. Each stays good that long, so that whoever has
to wait has one that can be used."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An address with its text."""

    row: Email
    address: str


async def add(tx: Transaction, keyring: Keyring, post: Post, member_id: UUID, address: str) -> Shown:
    """Adds an address that is to be verified, and mails to it.

    Nothing tells whether somebody else has it: the same rows are written, and its owner gets another mail.
    Raises EmailExists, EmailsExhausted and VerificationThrottled.
    """
    member = await _locked(tx, member_id)
    if await Emails(tx, member_id).count() >= MOST:
        raise EmailsExhausted(f"A member has {MOST} addresses at most; remove one first.", field="address")
    key = await keyring.key(tx, member_id)
    row = await Emails(tx, member_id).add(members.claimed(tx, keyring, key, address))
    if row is None:
        raise EmailExists("You have added this address before.", field="address")
    tx.audit("email.added", tenant_id=member_id, target_id=row.id)
    await _mail(tx, key, post, member, Shown(row, address))
    return Shown(row, address)


async def resend(tx: Transaction, keyring: Keyring, post: Post, member_id: UUID, email_id: UUID) -> Shown:
    """Mails another verification; raises EmailNotFound, EmailVerified and VerificationThrottled."""
    member = await _locked(tx, member_id)
    row = await _get(tx, member_id, email_id)
    if row.verify_time is not None:
        raise EmailVerified("The address is verified already.", field="email_id")
    key = await keyring.key(tx, member_id)
    shown = Shown(row, members.address_of(key, row))
    await _mail(tx, key, post, member, shown)
    return shown


async def make_primary(
    tx: Transaction, keyring: Keyring, post: Post, member_id: UUID, email_id: UUID
) -> Shown:
    """Makes a verified address the primary one and tells the one before; repeating it changes nothing.

    Raises EmailNotFound and EmailNotVerified.
    """
    member = await _locked(tx, member_id)
    row = await _get(tx, member_id, email_id)
    if row.verify_time is None:
        raise EmailNotVerified("Verify the address first.", field="email_id")
    key = await keyring.key(tx, member_id)
    if not row.is_primary:
        before = await Members(tx).primary(member_id)
        await Emails(tx, member_id).make_primary(email_id)
        await tx.session.refresh(row)
        member.version += 1
        tx.audit("email.made_primary", tenant_id=member_id, target_id=email_id)
        if before is not None:
            letter = post.letter("primary_changed", member.locale, {})
            post.queue(tx, key, members.address_of(key, before), letter)
    return Shown(row, members.address_of(key, row))


async def remove(tx: Transaction, member_id: UUID, email_id: UUID) -> None:
    """Removes an address; raises EmailNotFound, EmailLastVerified, and EmailPrimary for the primary one."""
    member = await _locked(tx, member_id)
    row = await _get(tx, member_id, email_id)
    if row.verify_time is not None and await Emails(tx, member_id).count(verified=True) == 1:
        raise EmailLastVerified("It is the last verified address; verify another first.", field="email_id")
    if row.is_primary:
        raise EmailPrimary("It is the primary address; make another primary first.", field="email_id")
    await Emails(tx, member_id).remove(email_id)
    member.version += 1
    tx.audit("email.removed", tenant_id=member_id, target_id=email_id)
    if row.verify_time is not None:
        events.email_removed(tx, member_id, email_id, member.version)


async def page(
    snapshot: Snapshot,
    keyring: Keyring,
    member_id: UUID,
    after: tuple[int, datetime, UUID] | None,
    most: int,
) -> Sequence[Shown]:
    """Answers the addresses of the scope's member, the primary one first, then as they were added."""
    key = await keyring.key(snapshot, member_id)
    rows = await Emails(snapshot, member_id).page(after, most)
    return [Shown(row, members.address_of(key, row)) for row in rows]


async def _mail(tx: Transaction, key: DataKey, post: Post, member: Member, shown: Shown) -> None:
    """Mails a verification, or tells the owner of the address; the same work for both."""
    _throttle(await Emails(tx, member.id).mailed(tx.now - DAY), shown.row.id, tx.now)
    token = members.verification(tx, shown.row)
    owner = await Members(tx).owner_of(shown.row.address_hash)
    template = "verify_email" if owner is None else "email_taken"
    locale = await Members(tx).locale_of(owner or member.id) or member.locale
    post.queue(tx, key, shown.address, post.letter(template, locale, {"token": token}))


def _throttle(mailed: Sequence[tuple[UUID, datetime]], email_id: UUID, now: datetime) -> None:
    """Raises VerificationThrottled, saying for how long; `mailed` is what went in a day, the newest first."""
    waits = [time + PAUSE - now for mailed_id, time in mailed[:A_DAY] if mailed_id == email_id]
    if len(mailed) >= A_DAY:
        waits.append(mailed[A_DAY - 1][1] + DAY - now)
    wait = max((each.total_seconds() for each in waits), default=0.0)
    if wait > 0:
        raise VerificationThrottled("Too many verifications were mailed; wait.", retry_after=wait)


async def _locked(tx: Transaction, member_id: UUID) -> Member:
    """Answers the member, whose addresses nobody else changes until the end of the transaction."""
    member = await Members(tx).lock(member_id)
    if member is None:
        raise members.not_found()
    return member


async def _get(tx: Transaction, member_id: UUID, email_id: UUID) -> Email:
    row = await Emails(tx, member_id).get(email_id)
    if row is None:
        raise EmailNotFound("The address does not exist.", field="email_id")
    return row
