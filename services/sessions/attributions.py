"""Whose usage it is: pinned from what identity and enterprise answer at that moment."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from chassis.call import Access
from wrtn.sessions.v1.token_usage_pb2 import Attribution


@dataclass(frozen=True, slots=True)
class Pinned:
    """An attribution and the id under which it is stored. Equal attributions have equal ids."""

    id: UUID
    message: Attribution


def pin(
    *, tenant_id: UUID, account_id: UUID, member_id: UUID, team_id: UUID | None, access: Access | None
) -> Pinned:
    """Builds the attribution of an account's usage. `access` is None for a personal account."""
    place = access.team if access is not None else None
    message = Attribution(
        tenant_id=str(tenant_id),
        account_id=str(account_id),
        member_id=str(member_id),
        employee_id=str(access.employee_id) if access is not None else "",
        team_id=str(team_id) if team_id is not None else "",
        ancestor_team_ids=[str(each) for each in place.ancestor_ids] if place is not None else [],
        title=access.title if access is not None else 0,  # type: ignore[arg-type]
        role=place.role if place is not None else 0,  # type: ignore[arg-type]
    )
    return Pinned(_id(message), message)


def _id(message: Attribution) -> UUID:
    """Makes the id from what it stands for: storing it twice is storing it once (UUID version 8)."""
    digest = sha256(message.SerializeToString(deterministic=True)).digest()
    number = int.from_bytes(digest[:16], "big")
    number = number & ~(0xF << 76) | 0x8 << 76
    number = number & ~(0x3 << 62) | 0b10 << 62
    return UUID(int=number)
