"""Proving once more who one is, before what cannot be undone by who finds an open device."""

from __future__ import annotations

from uuid import UUID

from chassis.database import Database, Scope
from services.identity.errors import PasswordWrong
from services.identity.passwords import Passwords
from services.identity.store import Members


async def check_password(
    db: Database, passwords: Passwords, member_id: UUID, password: str, field: str = "password"
) -> None:
    """Raises PasswordWrong, naming the field. No connection is held while the password is verified."""
    async with db.snapshot(Scope.of(member_id=member_id)) as snapshot:
        member = await Members(snapshot).get(member_id)
    if not await passwords.verify(member.password_hash if member else None, password):
        raise PasswordWrong("The password is not right.", field=field)
