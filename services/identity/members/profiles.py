"""What members change of themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from uuid import UUID

from chassis.crypto import DataKey, Keyring
from chassis.database import Transaction
from services.identity.errors import EtagMismatch, MemberFieldEmpty
from services.identity.members import members, phones
from services.identity.models import Member
from services.identity.store import Members


async def update(
    tx: Transaction, keyring: Keyring, member_id: UUID, etag: str, changes: Mapping[str, str]
) -> Member:
    """Changes the fields that are named; an etag that is given must be the current one.

    Raises EtagMismatch, MemberFieldEmpty, PhoneInvalid and TimeZoneUnknown.
    """
    member = await Members(tx).lock(member_id)
    if member is None:
        raise members.not_found()
    if etag and etag != members.etag(member):
        raise EtagMismatch("The member has changed meanwhile; read it again.", field="member.etag")
    key = await keyring.key(tx, member_id)
    for field, value in changes.items():
        if not value and field != "phone":
            raise MemberFieldEmpty("The field must not be empty.", field=f"member.{field}")
        _SET[field](key, member, value)
    member.version += 1
    return member


def _set_name(key: DataKey, member: Member, value: str) -> None:
    member.display_name = members.sealed_name(key, member.id, value)


def _set_phone(key: DataKey, member: Member, value: str) -> None:
    member.phone = members.sealed_phone(key, member.id, phones.parsed(value)) if value else None


def _set_locale(key: DataKey, member: Member, value: str) -> None:
    member.locale = value


def _set_time_zone(key: DataKey, member: Member, value: str) -> None:
    members.check_time_zone(value, field="member.time_zone")
    member.time_zone = value


_SET: Mapping[str, Callable[[DataKey, Member, str], None]] = {
    "display_name": _set_name,
    "phone": _set_phone,
    "locale": _set_locale,
    "time_zone": _set_time_zone,
}
FIELDS = tuple(_SET)
"""What a member may change."""
