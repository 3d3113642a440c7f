"""Proving again who one is, before the ways to sign in change."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from chassis.crypto import Keyring
from chassis.database import Database, Scope, Transaction
from services.identity.errors import ProofMissing, ProofRefused
from services.identity.factors import factors
from services.identity.models import LoginMethod
from services.identity.sign_in import guesses
from services.identity.sign_in.guesses import Bound, Guessing, Spent
from services.identity.sign_in.passwords import Passwords
from services.identity.store import Logins, Members

RECENT = timedelta(minutes=10)
"""For how long signing in is itself the proof."""


@dataclass(frozen=True, slots=True)
class Given:
    """What the request gives as proof: at most one of them."""

    password: str = ""
    totp_code: str = ""
    recovery_code: str = ""


@dataclass(frozen=True, slots=True)
class Proven:
    """What is left to be done in the transaction of the change: `use` it there."""

    method: LoginMethod | None = None
    code: str = ""
    spent: Spent | None = None


class Proofs:
    """Judges whether the caller has just proven who they are."""

    def __init__(self, db: Database, keyring: Keyring, passwords: Passwords, guessing: Guessing) -> None:
        self._db = db
        self._keyring = keyring
        self._passwords = passwords
        self._guessing = guessing

    async def prove(self, member_id: UUID, login_id: UUID, given: Given) -> Proven:
        """Answers a recent sign-in, a right password, or a code to be used with the change.

        Raises ProofMissing if nothing proves it, ProofRefused for a wrong password, TooManyTries.
        """
        async with self._db.snapshot(Scope.of(member_id=member_id)) as snapshot:
            login = await Logins(snapshot).get(member_id, login_id)
            member = await Members(snapshot).get(member_id)
        if login is not None and login.create_time >= snapshot.now - RECENT:
            return Proven()
        if not (given.password or given.totp_code or given.recovery_code):
            raise ProofMissing("Give the password or a code as proof, or sign in again.", field="proof")
        spent = await self._guessing.spend(Bound(f"proof {member_id}"))
        if given.password:
            password_hash = member.password_hash if member is not None else None
            if not await self._passwords.verify(password_hash, given.password):
                raise ProofRefused("The password is wrong.", field="proof.password")
            return Proven(spent=spent)
        if given.totp_code:
            return Proven(LoginMethod.TOTP, given.totp_code, spent)
        return Proven(LoginMethod.RECOVERY_CODE, given.recovery_code, spent)

    async def use(self, tx: Transaction, member_id: UUID, proven: Proven) -> None:
        """Uses the code, if the proof is one, together with the change; raises SecondFactorRefused."""
        if proven.method is not None:
            await factors.use(tx, self._keyring, member_id, proven.method, proven.code)
        if proven.spent is not None:
            await guesses.give_back(tx, proven.spent)
