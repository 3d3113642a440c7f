"""Signing in, and what a client gets for it: an access token and a refresh token."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.auth.tokens import AccessToken
from chassis.clock import Clock
from chassis.crypto import Keyring
from chassis.database import Database, Scope
from chassis.errors import DomainError
from services.identity import addresses, logins, refreshing
from services.identity.errors import SignInRefused
from services.identity.logins import Acting, Origin, Proof
from services.identity.models import LoginMethod, MemberState
from services.identity.passwords import Passwords
from services.identity.signing import Signer
from services.identity.store import Accounts, Members


@dataclass(frozen=True, slots=True)
class Tokens:
    """A login's tokens, in plain text."""

    acting: Acting
    access_token: str
    access_expire_time: datetime


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

    async def sign_in(self, email: str, password: str, origin: Origin) -> Tokens:
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
        return await self.open(member_id, account.id, Proof((LoginMethod.PASSWORD,)), origin)

    async def open(self, member_id: UUID, account_id: UUID, proof: Proof, origin: Origin) -> Tokens:
        """Opens a login in a transaction of its own; raises SignInRefused if the member is not active."""
        async with self._db.transaction(Scope.of(member_id=member_id)) as tx:
            acting = await logins.begin(tx, self._keyring, member_id, account_id, proof, origin)
        return await self.signed(acting)

    async def refresh(self, text: str, account_id: UUID | None, key: str, origin: Origin) -> Tokens:
        """Exchanges a refresh token, if named for another account that the member holds.

        Raises RefreshTokenReused after it ended the login of a token that was used before, RefreshRefused
        for an unknown or expired token or an ended login, AccountNotFound for another's account: then the
        token is still good.
        """
        asked = refreshing.exchange_of(text, account_id, key, origin)
        async with self._db.transaction(Scope.of(member_id=asked.member_id)) as tx:
            outcome = await refreshing.rotate(tx, self._keyring, asked)
        # Raised only now: what a refusal wrote down, the end of the login above all, is to stay.
        if isinstance(outcome, DomainError):
            raise outcome
        return await self.signed(outcome)

    async def signed(self, acting: Acting) -> Tokens:
        """Adds the access token to a login's refresh token."""
        token = AccessToken(acting.member_id, acting.login_id, acting.account_id)
        access_token, access_expire_time = await self._signer.issue(token)
        return Tokens(acting, access_token, access_expire_time)
