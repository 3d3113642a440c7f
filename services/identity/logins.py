"""Logins: signing in, exchanging refresh tokens, signing out.

A refresh token is good for one use. A second use means that two hold it, one of whom is a thief, and
nobody can say which: the login ends. An honest client whose answer was lost signs in again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from chassis.auth.tokens import AccessToken
from chassis.clock import Clock
from chassis.crypto import Keyring
from chassis.database import Database, Scope, Transaction
from chassis.errors import DomainError
from services.identity import accounts, addresses, bearers, events
from services.identity.errors import RefreshRefused, RefreshTokenReused, SignInRefused
from services.identity.models import Login, LoginEnd, MemberState, RefreshToken
from services.identity.passwords import Passwords
from services.identity.signing import Signer
from services.identity.store import Accounts, Logins, Members

REFRESH_LIFETIME = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Tokens:
    """A login's tokens, in plain text."""

    member_id: UUID
    account_id: UUID
    access_token: str
    access_expire_time: datetime
    refresh_token: str
    refresh_expire_time: datetime


@dataclass(frozen=True, slots=True)
class _Acting:
    """A login after its change, and the refresh token that goes with it."""

    member_id: UUID
    login_id: UUID
    account_id: UUID
    refresh_token: str
    refresh_expire_time: datetime


class SignIns:
    """Opens and prolongs logins."""

    def __init__(
        self, db: Database, keyring: Keyring, clock: Clock, passwords: Passwords, signer: Signer
    ) -> None:
        self._db = db
        self._keyring = keyring
        self._clock = clock
        self._passwords = passwords
        self._signer = signer

    async def sign_in(self, email: str, password: str) -> Tokens:
        """Opens a login for the personal account; raises SignInRefused, whatever was wrong, in the same time.

        Who is unknown is looked up and verified like everybody, as a member that does not exist.
        """
        address_hash = self._keyring.lookup(addresses.PURPOSE, addresses.sought(email))
        async with self._db.snapshot(Scope()) as snapshot:
            owner = await Members(snapshot).owner_of(address_hash)
        member_id = owner or self._clock.new_id()
        async with self._db.snapshot(Scope.of(member_id=member_id)) as snapshot:
            member = await Members(snapshot).get(member_id)
            account = await Accounts(snapshot).personal(member_id)
        # No connection is held while the password is verified: that takes longest.
        right = await self._passwords.verify(member.password_hash if member else None, password)
        if not right or member is None or account is None or member.state != MemberState.ACTIVE:
            raise SignInRefused("Address and password do not match.")
        async with self._db.transaction(Scope.of(member_id=member_id)) as tx:
            acting = await _open(tx, member_id, account.id)
        return await self._signed(acting)

    async def refresh(self, text: str, account_id: UUID | None) -> Tokens:
        """Exchanges a refresh token, if named for another account that the member holds.

        Raises RefreshTokenReused after it ended the login of a token that was used before, RefreshRefused
        for an unknown or expired token or an ended login, AccountNotFound for another's account: then the
        token is still good.
        """
        member_id = bearers.owner_of(bearers.REFRESH, text)
        if member_id is None:
            raise _refused()
        async with self._db.transaction(Scope.of(member_id=member_id)) as tx:
            outcome = await _rotate(tx, member_id, bearers.digest(text), account_id)
        # Raised only now: what a refusal wrote down, the end of the login above all, is to stay.
        if isinstance(outcome, DomainError):
            raise outcome
        return await self._signed(outcome)

    async def _signed(self, acting: _Acting) -> Tokens:
        token = AccessToken(acting.member_id, acting.login_id, acting.account_id)
        access_token, access_expire_time = await self._signer.issue(token)
        return Tokens(
            acting.member_id,
            acting.account_id,
            access_token,
            access_expire_time,
            acting.refresh_token,
            acting.refresh_expire_time,
        )


async def sign_out(tx: Transaction, member_id: UUID, login_id: UUID) -> None:
    """Ends a login; repeating it changes nothing."""
    await _end(tx, member_id, login_id, LoginEnd.SIGNED_OUT)


async def _open(tx: Transaction, member_id: UUID, account_id: UUID) -> _Acting:
    login = Login(
        member_id=member_id,
        id=tx.clock.new_id(),
        account_id=account_id,
        expire_time=tx.now + REFRESH_LIFETIME,
        version=1,
        create_time=tx.now,
    )
    tx.session.add(login)
    await tx.session.flush()
    return _with_token(tx, member_id, login.id, account_id)


async def _rotate(
    tx: Transaction, member_id: UUID, token_hash: bytes, account_id: UUID | None
) -> _Acting | DomainError:
    logins = Logins(tx)
    login_id = await logins.use_token(member_id, token_hash, tx.now)
    if login_id is None:
        return await _misused(tx, member_id, token_hash)
    acting = await logins.prolong(member_id, login_id, account_id, tx.now, tx.now + REFRESH_LIFETIME)
    if acting is None:
        return _refused()
    await accounts.get_held(tx, member_id, acting)
    return _with_token(tx, member_id, login_id, acting)


async def _misused(tx: Transaction, member_id: UUID, token_hash: bytes) -> DomainError:
    """Ends the login of a token that was used before. An unknown token has none."""
    login_id = await Logins(tx).of_used_token(member_id, token_hash)
    if login_id is None:
        return _refused()
    await _end(tx, member_id, login_id, LoginEnd.TOKEN_REUSED)
    return RefreshTokenReused("The refresh token was used before; the login has ended.")


async def _end(tx: Transaction, member_id: UUID, login_id: UUID, reason: LoginEnd) -> None:
    version = await Logins(tx).end(member_id, login_id, reason, tx.now)
    if version is not None:
        events.login_ended(tx, member_id, login_id, version)


def _with_token(tx: Transaction, member_id: UUID, login_id: UUID, account_id: UUID) -> _Acting:
    """Adds the next refresh token of the login."""
    text = bearers.bearer(bearers.REFRESH, member_id, tx.clock)
    expire_time = tx.now + REFRESH_LIFETIME
    row = RefreshToken(
        member_id=member_id,
        token_hash=bearers.digest(text),
        login_id=login_id,
        expire_time=expire_time,
        create_time=tx.now,
    )
    tx.session.add(row)
    return _Acting(member_id, login_id, account_id, text, expire_time)


def _refused() -> RefreshRefused:
    return RefreshRefused("The refresh token is not valid.")
