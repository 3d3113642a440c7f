"""Exchanging refresh tokens.

A refresh token is good for one use. A second use means that two hold it, one of whom is a thief, and
nobody can say which: the login ends. An honest client whose answer was lost repeats the request under the
same idempotency key within RETRY, and gets the same successor: it is derived from the token and the key,
so that nothing has to be kept that could be stolen.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from chassis.crypto import Keyring
from chassis.database import Transaction
from chassis.errors import DomainError
from services.identity import bearers
from services.identity.accounts import accounts
from services.identity.errors import RefreshRefused, RefreshTokenReused
from services.identity.logins import logins, policies
from services.identity.logins.logins import Acting, Origin
from services.identity.models import LoginEnd, RefreshToken
from services.identity.store import Accounts, Logins

RETRY = timedelta(seconds=30)
_SUCCESSOR = "refresh token successor"
_KEY = "refresh token retry"
"""The purposes that keep the keyed hashes apart."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request to exchange a token; `key` is its idempotency key, empty if it has none."""

    member_id: UUID
    text: str
    account_id: UUID | None
    key: str
    origin: Origin


def exchange_of(text: str, account_id: UUID | None, key: str, origin: Origin) -> Exchange:
    """Answers the exchange for the member whom the token names; raises RefreshRefused for no token at all."""
    member_id = bearers.owner_of(bearers.REFRESH, text)
    if member_id is None:
        raise refused()
    return Exchange(member_id, text, account_id, key, origin)


async def rotate(tx: Transaction, keyring: Keyring, asked: Exchange) -> Acting | DomainError:
    """Uses the token and answers its successor, or why not: that is to be raised after the commit.

    What a refusal writes down, the end of the login above all, is to stay. AccountNotFound and the errors of
    chassis.access.policy are raised at once: then the token is still good.
    """
    found = Logins(tx)
    retry_hash = _retry_hash(keyring, asked)
    login_id = await found.use_token(asked.member_id, bearers.digest(asked.text), retry_hash, tx.now)
    if login_id is None:
        return await _used_before(tx, keyring, asked, retry_hash)
    values = logins.sealed(await keyring.key(tx, asked.member_id), login_id, asked.origin)
    until = tx.now + logins.REFRESH_LIFETIME
    account_id = await found.prolong(asked.member_id, login_id, asked.account_id, tx.now, until, values)
    if account_id is None:
        return refused()
    if asked.account_id is None and await Accounts(tx).held(asked.member_id, account_id) is None:
        # The account that acted went to another member: the login goes on with their own.
        account_id = await _fall_back(tx, asked.member_id, login_id)
    account = await accounts.get_held(tx, asked.member_id, account_id)
    await policies.enforce(tx, account, login_id, asked.origin.address)
    return logins.with_token(tx, asked.member_id, login_id, account_id, _successor(tx, keyring, asked))


def refused() -> RefreshRefused:
    """Answers the one error for every token that is not good."""
    return RefreshRefused("The refresh token is not valid.")


async def _fall_back(tx: Transaction, member_id: UUID, login_id: UUID) -> UUID:
    """Lets the member's own personal account act; raises AccountNotFound for who has none."""
    own = await Accounts(tx).personal(member_id)
    if own is None:
        raise accounts.not_found()
    await Logins(tx).act(member_id, login_id, own.id)
    return own.id


async def _used_before(
    tx: Transaction, keyring: Keyring, asked: Exchange, retry_hash: bytes | None
) -> Acting | DomainError:
    """Answers the successor again to an honest retry, and ends the login of everybody else's second use."""
    used = await Logins(tx).used_token(asked.member_id, bearers.digest(asked.text))
    if used is None:
        return refused()
    if retry_hash is not None and retry_hash == used.retry_hash and _recent(tx, used):
        acting = await _again(tx, asked, used, _successor(tx, keyring, asked))
        if acting is not None:
            return acting
    await logins.end(tx, asked.member_id, used.login_id, LoginEnd.TOKEN_REUSED)
    return RefreshTokenReused("The refresh token was used before; the login has ended. Sign in again.")


async def _again(tx: Transaction, asked: Exchange, used: RefreshToken, text: str) -> Acting | None:
    """Answers the successor if it is still to be used; None if not, since whoever has it needs no retry."""
    found = await Logins(tx).unused(asked.member_id, used.login_id, bearers.digest(text), tx.now)
    if found is None:
        return None
    account_id, expire_time = found
    return Acting(asked.member_id, used.login_id, account_id, text, expire_time)


def _recent(tx: Transaction, used: RefreshToken) -> bool:
    return used.use_time is not None and tx.now - used.use_time <= RETRY


def _retry_hash(keyring: Keyring, asked: Exchange) -> bytes | None:
    return keyring.lookup(_KEY, f"{asked.account_id} {asked.key}") if asked.key else None


def _successor(tx: Transaction, keyring: Keyring, asked: Exchange) -> str:
    if not asked.key:
        return bearers.bearer(bearers.REFRESH, asked.member_id, tx.clock)
    derived = keyring.lookup(_SUCCESSOR, f"{asked.text} {asked.key}")
    secret = base64.urlsafe_b64encode(derived).decode().rstrip("=")
    return bearers.of(bearers.REFRESH, asked.member_id, secret)
