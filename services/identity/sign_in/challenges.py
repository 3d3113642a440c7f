"""Sign-ins whose first factor was right and that wait for the second one, for a few minutes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from chassis.database import Snapshot, Transaction
from services.identity import bearers
from services.identity.errors import ChallengeRefused
from services.identity.logins.logins import Proof
from services.identity.models import SignInChallenge
from services.identity.store.factors import Factors

LIFETIME = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the client gets in place of tokens, in plain text."""

    text: str
    expire_time: datetime


def pose(
    tx: Transaction,
    member_id: UUID,
    proof: Proof,
    *,
    device_hash: bytes | None = None,
    account_id: UUID | None = None,
) -> Challenge:
    """Notes what was proven, on which known device and to act by which account, and asks for the rest."""
    text = bearers.bearer(bearers.CHALLENGE, member_id, tx.clock)
    row = SignInChallenge(
        member_id=member_id,
        token_hash=bearers.digest(text),
        methods=list(proof.methods),
        device_hash=device_hash,
        account_id=account_id,
        connection_id=proof.connection_id,
        connection_tenant_id=proof.connection_tenant_id,
        expire_time=tx.now + LIFETIME,
        create_time=tx.now,
    )
    tx.session.add(row)
    return Challenge(text, row.expire_time)


def member_of(text: str) -> UUID:
    """Answers whom the challenge names; raises ChallengeRefused for a text that is none."""
    member_id = bearers.owner_of(bearers.CHALLENGE, text)
    if member_id is None:
        raise refused()
    return member_id


async def waiting(snapshot: Snapshot, member_id: UUID, text: str) -> SignInChallenge:
    """Answers what was proven; raises ChallengeRefused if the challenge is unknown, used or expired."""
    found = await Factors(snapshot, member_id).challenge(bearers.digest(text), snapshot.now)
    if found is None:
        raise refused()
    return found


async def use(tx: Transaction, member_id: UUID, text: str) -> None:
    """Ends a challenge, once; raises ChallengeRefused for the second who tries."""
    if not await Factors(tx, member_id).use_challenge(bearers.digest(text), tx.now):
        raise refused()


def refused() -> ChallengeRefused:
    """Answers the one error for every challenge that is not good."""
    return ChallengeRefused("The sign-in has expired or is complete; begin it anew.")
