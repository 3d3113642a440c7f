"""Members: registering one, and proving their first address."""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NoReturn
from uuid import UUID

from chassis.crypto import DataKey, Keyring
from chassis.database import Snapshot, Transaction
from services.identity import bearers, events
from services.identity.accounts.accounts import open_personal
from services.identity.errors import (
    MemberNotFound,
    MembershipClosed,
    MemberSuspended,
    TimeZoneUnknown,
    VerificationRefused,
)
from services.identity.mail.post import Post
from services.identity.members import addresses
from services.identity.models import Email, EmailVerification, Hold, Member, MemberState
from services.identity.store import Holds, Members

VERIFICATION_LIFETIME = timedelta(hours=24)
LOCALE = "en"
TIME_ZONE = "UTC"
_NAME = "display_name"
_ADDRESS = "address"
_PHONE = "phone"
"""The context that binds a ciphertext to its column."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who wants to be a member. `id` is chosen before, since it fixes the scope of the transaction."""

    id: UUID
    address: str
    display_name: str
    password_hash: str
    locale: str = LOCALE
    time_zone: str = TIME_ZONE


@dataclass(frozen=True, slots=True)
class Profile:
    """A member in plain text, as far as who asks may see it."""

    member: Member
    display_name: str
    phone: str = ""
    emails: tuple[tuple[Email, str], ...] = ()
    """The addresses with their text, the primary one first."""
    avatar_time: datetime | None = None
    holds: tuple[Hold, ...] = ()


@lru_cache(maxsize=1)
def _time_zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def check_time_zone(name: str, field: str = "time_zone") -> None:
    """Raises TimeZoneUnknown for a name that the IANA database does not have."""
    if name not in _time_zones():
        raise TimeZoneUnknown("The IANA database has no such time zone.", field=field)


async def register(tx: Transaction, keyring: Keyring, post: Post, person: Person) -> None:
    """Adds a pending member and mails to the address.

    The same rows are written whether or not somebody has the address already, so that neither the time
    taken nor a failure tells. The mail alone differs: the owner is told, and gets no token, so that the
    member added here stays pending for ever.
    """
    key = await keyring.key(tx, person.id)
    email = await _add(tx, keyring, key, person)
    token = verification(tx, email)
    owner = await Members(tx).owner_of(email.address_hash)
    template = "verify_email" if owner is None else "already_registered"
    locale = await Members(tx).locale_of(owner or person.id) or person.locale
    post.queue(tx, key, person.address, post.letter(template, locale, {"token": token}))


def verification(tx: Transaction, email: Email) -> str:
    """Answers a new token that proves the address, once, within VERIFICATION_LIFETIME."""
    token = bearers.bearer(bearers.VERIFICATION, email.member_id, tx.clock)
    tx.session.add(
        EmailVerification(
            member_id=email.member_id,
            token_hash=bearers.digest(token),
            email_id=email.id,
            expire_time=tx.now + VERIFICATION_LIFETIME,
            create_time=tx.now,
        )
    )
    return token


async def verify(tx: Transaction, keyring: Keyring, member_id: UUID, token: str, account_id: UUID) -> Member:
    """Proves the address to which the token was mailed; the first one makes its member active.

    `account_id` is that of the personal account to open, which the scope already holds as a tenant.
    Raises VerificationRefused, alike whether the token is unknown, used or expired, or the address taken.
    """
    member = await Members(tx).lock(member_id)
    if member is None or member.state not in (MemberState.PENDING, MemberState.ACTIVE):
        refuse_verification()
    email = await Members(tx).use_verification(member_id, bearers.digest(token), tx.now)
    if email is None or not await Members(tx).claim_address(email):
        refuse_verification()
    email.verify_time = tx.now
    if member.state == MemberState.PENDING:
        email.is_primary = True
        await _activate(tx, keyring, member, account_id)
    else:
        member.version += 1
        events.email_verified(tx, member_id, email.id, member.version)
    tx.audit("email.verified", tenant_id=member_id, target_id=email.id)
    return member


def refuse_verification() -> NoReturn:
    """Raises the one answer for every token that proves nothing."""
    raise VerificationRefused("The verification token is unknown, used or expired.", field="token")


async def add_verified(tx: Transaction, keyring: Keyring, person: Person, account_id: UUID) -> bool:
    """Adds an active member with a personal account, whose address counts as proven; False if it is taken."""
    key = await keyring.key(tx, person.id)
    email = await _add(tx, keyring, key, person)
    await tx.session.flush()
    if not await Members(tx).claim_address(email):
        return False
    email.verify_time, email.is_primary = tx.now, True
    await _activate(tx, keyring, await get(tx, person.id), account_id)
    return True


async def get(snapshot: Snapshot, member_id: UUID) -> Member:
    """Answers the scope's member; raises MemberNotFound for any other."""
    member = await Members(snapshot).get(member_id)
    if member is None:
        raise not_found()
    return member


def not_found() -> MemberNotFound:
    """Answers the one error for a member who does not exist and for one whom the caller may not see."""
    return MemberNotFound("The member does not exist.", field="member_id")


def refuse_barred(state: str | None) -> None:
    """Raises MemberSuspended or MembershipClosed for one who may not act. Tell it only to themselves."""
    if state == MemberState.SUSPENDED:
        raise MemberSuspended("The membership is suspended; write to the support.")
    if state == MemberState.CLOSED:
        raise MembershipClosed("The membership is closed.")


async def name_of(snapshot: Snapshot, keyring: Keyring, member_id: UUID) -> str:
    """Answers the name of a member who was active once; raises MemberNotFound for any other."""
    member = await get(snapshot, member_id)
    if member.state in (MemberState.PENDING, MemberState.ERASED):
        raise not_found()
    return _display_name(await keyring.key(snapshot, member_id), member)


async def profile(
    snapshot: Snapshot, keyring: Keyring, member: Member, *, own: bool = False, holds: bool = False
) -> Profile:
    """Answers a member in plain text: `own` with addresses and phone, `holds` with what holds them back."""
    if member.state == MemberState.ERASED:
        return Profile(member, "")
    key = await keyring.key(snapshot, member.id)
    rows = await Members(snapshot).emails(member.id) if own else ()
    return Profile(
        member,
        _display_name(key, member),
        phone=_phone(key, member) if own else "",
        emails=tuple((row, address_of(key, row)) for row in rows),
        avatar_time=await Members(snapshot).avatar_time(member.id),
        holds=tuple(await Holds(snapshot).all(member.id)) if holds else (),
    )


def etag(member: Member) -> str:
    """Answers what changes with every change of the member."""
    return str(member.version)


def claimed(tx: Transaction, keyring: Keyring, key: DataKey, address: str) -> dict[str, Any]:
    """Answers the columns of an address that the key's member claims, and has still to prove."""
    email_id = tx.clock.new_id()
    return {
        "member_id": key.owner_id,
        "id": email_id,
        "address": key.encrypt(address.encode(), key.owner_id, email_id, _ADDRESS),
        "address_hash": keyring.lookup(addresses.PURPOSE, addresses.same(address)),
        "is_primary": False,
        "create_time": tx.now,
    }


async def _add(tx: Transaction, keyring: Keyring, key: DataKey, person: Person) -> Email:
    email = Email(**claimed(tx, keyring, key, person.address))
    member = Member(
        id=person.id,
        state=MemberState.PENDING,
        display_name=sealed_name(key, person.id, person.display_name),
        password_hash=person.password_hash,
        locale=person.locale,
        time_zone=person.time_zone,
        staff_right=0,
        version=1,
        create_time=tx.now,
    )
    tx.session.add(member)
    await tx.session.flush()
    tx.session.add(email)
    await tx.session.flush()
    return email


async def _activate(tx: Transaction, keyring: Keyring, member: Member, account_id: UUID) -> None:
    member.state = MemberState.ACTIVE
    member.activate_time = tx.now
    member.version += 1
    await tx.session.flush()
    name = _display_name(await keyring.key(tx, member.id), member)
    await open_personal(tx, account_id, member.id, name)
    events.member_activated(tx, member.id, member.version)


def sealed_name(key: DataKey, member_id: UUID, name: str) -> bytes:
    """Encrypts a member's name."""
    return key.encrypt(name.encode(), member_id, _NAME)


def sealed_phone(key: DataKey, member_id: UUID, phone: str) -> bytes:
    """Encrypts a member's phone number."""
    return key.encrypt(phone.encode(), member_id, _PHONE)


def _phone(key: DataKey, member: Member) -> str:
    """Decrypts a member's phone number; empty if there is none."""
    return key.decrypt(member.phone, member.id, _PHONE).decode() if member.phone is not None else ""


def _display_name(key: DataKey, member: Member) -> str:
    """Decrypts a member's name."""
    return key.decrypt(member.display_name, member.id, _NAME).decode()


def address_of(key: DataKey, email: Email) -> str:
    """Decrypts an address."""
    return opened_address(key, email.id, email.address)


def opened_address(key: DataKey, email_id: UUID, sealed: bytes) -> str:
    """Decrypts an address of the key's member."""
    return key.decrypt(sealed, key.owner_id, email_id, _ADDRESS).decode()
