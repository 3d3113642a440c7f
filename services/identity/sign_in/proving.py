"""The password once more, before what cannot be undone by who finds an open device."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from chassis.database import Database, Scope
from services.identity.errors import PasswordWrong
from services.identity.members import members
from services.identity.models import Member
from services.identity.sign_in.guesses import Bound, Guessing, Spent
from services.identity.sign_in.passwords import Passwords


@dataclass(frozen=True, slots=True)
class Proven:
    """The member as they were when their password was right; give the try back with the change."""

    member: Member
    spent: Spent


class PasswordCheck:
    """Asks for the current password; wrong ones are counted together with all other proofs of the member."""

    def __init__(self, db: Database, passwords: Passwords, guessing: Guessing) -> None:
        self._db = db
        self._passwords = passwords
        self._guessing = guessing

    async def check(self, member_id: UUID, password: str, field: str) -> Proven:
        """Raises PasswordWrong, naming the field, and TooManyTries. No connection is held meanwhile."""
        spent = await self._guessing.spend(Bound(f"proof {member_id}"))
        async with self._db.snapshot(Scope.of(member_id=member_id)) as snapshot:
            member = await members.get(snapshot, member_id)
        if not await self._passwords.verify(member.password_hash, password):
            raise PasswordWrong("The password is not right.", field=field)
        return Proven(member, spent)
