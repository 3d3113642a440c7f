"""The second factor of a member: an authenticator app, and recovery codes for who lost it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.crypto import DataKey, Keyring
from chassis.database import Snapshot, Transaction
from services.identity.errors import SecondFactorActive, SecondFactorMissing, SecondFactorRefused
from services.identity.factors import totp
from services.identity.factors.notices import Change, changed
from services.identity.mail.letters import PRODUCT
from services.identity.mail.post import Post
from services.identity.members import members
from services.identity.models import FactorState, LoginMethod, TotpFactor
from services.identity.store import Members
from services.identity.store.factors import Factors

_SECRET = "totp_secret"  # noqa: S105 - the context that binds a ciphertext to its column
_RECOVERY = "recovery code"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator app needs to know, in plain text."""

    secret: str
    uri: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a second factor is asked for at sign-in, and what is left to recover it."""

    active: bool
    activate_time: datetime | None
    codes_left: int


async def active(snapshot: Snapshot, member_id: UUID) -> bool:
    """Says whether a password alone does not sign the scope's member in."""
    return await Factors(snapshot, member_id).active()


async def standing(snapshot: Snapshot, member_id: UUID) -> Standing:
    """Answers how the second factor of the scope's member stands."""
    found = await Factors(snapshot, member_id).totp()
    if found is None or found.state != FactorState.ACTIVE:
        return Standing(active=False, activate_time=None, codes_left=0)
    left = await Factors(snapshot, member_id).codes_left()
    return Standing(active=True, activate_time=found.create_time, codes_left=left)


async def enrol(tx: Transaction, keyring: Keyring, member_id: UUID) -> Enrolment:
    """Begins with a new secret, which counts once a code confirms it; raises SecondFactorActive."""
    key = await keyring.key(tx, member_id)
    secret = totp.new_secret(tx.clock)
    values = {
        "secret": key.encrypt(secret.encode(), member_id, _SECRET),
        "last_step": 0,
        "create_time": tx.now,
    }
    if not await Factors(tx, member_id).put_pending(values):
        raise SecondFactorActive("An authenticator app is active already; remove it first.")
    primary = await Members(tx).primary(member_id)
    address = members.address_of(key, primary) if primary is not None else str(member_id)
    return Enrolment(secret, totp.uri(secret, address, PRODUCT))


async def confirm(tx: Transaction, keyring: Keyring, post: Post, member_id: UUID, code: str) -> Sequence[str]:
    """Makes the app active by its first code, and answers the recovery codes, this once.

    Raises SecondFactorRefused for a wrong code, SecondFactorMissing if none waits to be confirmed.
    """
    found = await Factors(tx, member_id).totp()
    if found is None or found.state != FactorState.PENDING:
        raise SecondFactorMissing("No authenticator app waits to be confirmed; begin anew.")
    key = await keyring.key(tx, member_id)
    step = totp.step_of(_secret(key, found), code, tx.now)
    if step is None or not await Factors(tx, member_id).use_step(step, FactorState.PENDING):
        raise refused()
    await changed(tx, keyring, post, member_id, Change.TOTP_ADDED)
    return await _new_codes(tx, keyring, member_id)


async def renew_codes(tx: Transaction, keyring: Keyring, post: Post, member_id: UUID) -> Sequence[str]:
    """Puts new recovery codes in place of all before, and answers them, this once."""
    if not await active(tx, member_id):
        raise _missing()
    await changed(tx, keyring, post, member_id, Change.RECOVERY_CODES_RENEWED)
    return await _new_codes(tx, keyring, member_id)


async def remove(tx: Transaction, keyring: Keyring, post: Post, member_id: UUID) -> None:
    """Removes app and recovery codes; raises SecondFactorMissing if there is none."""
    if not await Factors(tx, member_id).remove_totp():
        raise _missing()
    await changed(tx, keyring, post, member_id, Change.TOTP_REMOVED)


async def use(tx: Transaction, keyring: Keyring, member_id: UUID, method: LoginMethod, code: str) -> None:
    """Uses a code of the active app, or a recovery code, once; raises SecondFactorRefused for all else."""
    used = (
        await _use_totp(tx, keyring, member_id, code)
        if method is LoginMethod.TOTP
        else await Factors(tx, member_id).use_code(_code_hash(keyring, member_id, code), tx.now)
    )
    if not used:
        raise refused()


def refused() -> SecondFactorRefused:
    """Answers the one error for every code that proves nothing."""
    return SecondFactorRefused("The code is wrong, was used before, or is too old.")


async def _use_totp(tx: Transaction, keyring: Keyring, member_id: UUID, code: str) -> bool:
    found = await Factors(tx, member_id).totp()
    if found is None or found.state != FactorState.ACTIVE:
        return False
    step = totp.step_of(_secret(await keyring.key(tx, member_id), found), code, tx.now)
    return step is not None and await Factors(tx, member_id).use_step(step, FactorState.ACTIVE)


async def _new_codes(tx: Transaction, keyring: Keyring, member_id: UUID) -> Sequence[str]:
    codes = totp.new_recovery_codes(tx.clock)
    hashes = [_code_hash(keyring, member_id, each) for each in codes]
    await Factors(tx, member_id).put_codes(hashes, tx.now)
    return codes


def _code_hash(keyring: Keyring, member_id: UUID, code: str) -> bytes:
    return keyring.lookup(_RECOVERY, f"{member_id} {totp.plain(code)}")


def _secret(key: DataKey, row: TotpFactor) -> str:
    return key.decrypt(row.secret, row.member_id, _SECRET).decode()


def _missing() -> SecondFactorMissing:
    return SecondFactorMissing("No authenticator app is active.")
