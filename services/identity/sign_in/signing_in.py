"""Signing in, and what a client gets for it: an access token and a refresh token, or a challenge."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.auth.tokens import AccessToken
from chassis.clock import Clock
from chassis.crypto import Keyring
from chassis.database import Database, Scope, Transaction
from chassis.errors import DomainError
from services.identity import bearers
from services.identity.credentials.signing import Signer
from services.identity.errors import SignInRefused
from services.identity.factors import factors, passkeys
from services.identity.factors.passkeys import Json, Party
from services.identity.logins import logins, refreshing
from services.identity.logins.logins import Acting, Origin, Proof
from services.identity.members import addresses, members
from services.identity.models import LoginMethod
from services.identity.sign_in import challenges, guesses
from services.identity.sign_in.challenges import Challenge
from services.identity.sign_in.guesses import Bound, Guessing, Spent
from services.identity.sign_in.passwords import Passwords
from services.identity.store import Accounts, Members
from services.identity.store.sign_ins import Admission, Known, Search


@dataclass(frozen=True, slots=True)
class Tokens:
    """A login's tokens, in plain text."""

    acting: Acting
    access_token: str
    access_expire_time: datetime


@dataclass(frozen=True, slots=True)
class Credentials:
    """What somebody signs in with. The device token is empty where nobody has signed in before."""

    email: str
    password: str
    device_token: str = ""


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """The answer to a challenge: a code of an authenticator app, a recovery code, or a passkey."""

    challenge: str
    method: LoginMethod
    code: str = ""
    passkey: Json | None = None
    device_token: str = ""


@dataclass(frozen=True, slots=True)
class _Sought:
    """Who an address belongs to, if to anybody: a member that does not exist is looked up all the same."""

    member_id: UUID
    known: Known
    device_hash: bytes | None
    spent: Spent


class SignIns:
    """Opens and prolongs logins."""

    def __init__(
        self,
        db: Database,
        keyring: Keyring,
        clock: Clock,
        passwords: Passwords,
        signer: Signer,
        guessing: Guessing,
        party: Party,
    ) -> None:
        self._db = db
        self._keyring = keyring
        self._clock = clock
        self._passwords = passwords
        self._signer = signer
        self._guessing = guessing
        self._party = party

    async def sign_in(self, given: Credentials, origin: Origin) -> Tokens | Challenge:
        """Opens a login for the personal account, or asks for the second factor if one is active.

        Raises SignInRefused, whatever was wrong, in the same time, and TooManyTries whether the address
        is known or not. Who is unknown is looked up and verified like everybody. Only who knows the
        password learns by MemberSuspended and MembershipClosed that it is good for nothing.
        """
        sought = await self._sought(given, origin)
        # No connection is held while the password is verified: that takes longest.
        member_id, known = sought.member_id, sought.known
        right = await self._passwords.verify(known.password_hash, given.password)
        if sought.spent.refused or not right or not known.password_hash or not known.account_id:
            raise SignInRefused("Address and password do not match.")
        members.refuse_barred(known.state)
        await self._renew(member_id, known.password_hash, given.password)
        proof = Proof((LoginMethod.PASSWORD,))
        admission = Admission(member_id, sought.spent.subjects, sought.spent.time)
        async with self._db.transaction(Scope.of(member_id=member_id), first=admission.ask) as tx:
            if admission.wants_factor:
                return challenges.pose(tx, member_id, proof, device_hash=sought.device_hash)
            acting = await logins.begin(
                tx,
                self._keyring,
                member_id,
                known.account_id,
                proof,
                origin,
                device_token=given.device_token,
            )
        return await self.signed(acting)

    async def complete(self, given: SecondFactor, origin: Origin) -> Tokens:
        """Opens the login of a sign-in that waited for its second factor.

        Raises ChallengeRefused for a challenge that is not good, SecondFactorRefused for a wrong code,
        after which the challenge still waits, and TooManyTries.
        """
        member_id = challenges.member_of(given.challenge)
        scope = Scope.of(member_id=member_id)
        async with self._db.snapshot(scope) as snapshot:
            waiting = await challenges.waiting(snapshot, member_id, given.challenge)
        spent = await self._guessing.spend(_factor_bound(member_id, waiting.device_hash))
        methods = (*map(LoginMethod, waiting.methods), given.method)
        proof = Proof(methods, waiting.connection_id, waiting.connection_tenant_id)
        async with self._db.transaction(scope) as tx:
            await challenges.use(tx, member_id, given.challenge)
            await self._use(tx, member_id, given)
            await guesses.give_back(tx, spent)
            acting = await self._begin(tx, member_id, proof, origin, given.device_token, waiting.account_id)
        return await self.signed(acting)

    async def _renew(self, member_id: UUID, before: str, password: str) -> None:
        """Hashes the password anew where the parameters have changed since."""
        if self._passwords.outdated(before):
            after = await self._passwords.hash(password)
            async with self._db.transaction(Scope.of(member_id=member_id)) as tx:
                await Members(tx).renew_password(member_id, before, after)

    async def sign_in_with_passkey(self, credential: Json, device_token: str, origin: Origin) -> Tokens:
        """Opens a login for whoever the passkey belongs to; raises PasskeyRefused, TooManyTries."""
        given = passkeys.assertion_of(credential)
        spent = await self._guessing.spend(guesses.client(origin.address))
        async with self._db.transaction(Scope.of(member_id=given.member_id)) as tx:
            await passkeys.prove(tx, self._keyring, self._party, given)
            await guesses.give_back(tx, spent)
            proof = Proof((LoginMethod.PASSKEY,))
            acting = await self._begin(tx, given.member_id, proof, origin, device_token)
        return await self.signed(acting)

    def passkey_options(self) -> Json:
        """Answers what a browser is to ask an authenticator for."""
        return passkeys.assertion_options(self._keyring, self._clock, self._party)

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

    async def _sought(self, given: Credentials, origin: Origin) -> _Sought:
        """Looks the address up and spends a try against it, both in one transaction; raises TooManyTries."""
        address_hash = self._keyring.lookup(addresses.PURPOSE, addresses.sought(given.email))
        token_hash = bearers.digest(given.device_token)
        nobody = self._clock.new_id()
        search = Search(address_hash, nobody, token_hash, self._clock.now())
        async with self._db.transaction(Scope(), first=search.ask) as tx:
            owner, known = await search.found(tx)
            device_hash = token_hash if known.by_device else None
            bounds = _bounds(owner, address_hash, device_hash, origin)
            spent = await self._guessing.spend_in(tx, *bounds)
        return _Sought(owner or nobody, known, device_hash, spent)

    async def _use(self, tx: Transaction, member_id: UUID, given: SecondFactor) -> None:
        """Uses the second factor, once; raises SecondFactorRefused or PasskeyRefused."""
        if given.passkey is None:
            await factors.use(tx, self._keyring, member_id, given.method, given.code)
            return
        assertion = passkeys.assertion_of(given.passkey)
        if assertion.member_id != member_id:
            raise passkeys.refused()
        await passkeys.prove(tx, self._keyring, self._party, assertion)

    async def _begin(
        self,
        tx: Transaction,
        member_id: UUID,
        proof: Proof,
        origin: Origin,
        device_token: str,
        account_id: UUID | None = None,
    ) -> Acting:
        """Opens a login for the account if the member still holds it, else for the personal one."""
        held = await Accounts(tx).held(member_id, account_id) if account_id is not None else None
        account = held or await Accounts(tx).personal(member_id)
        if account is None:
            raise SignInRefused("Address and password do not match.")
        return await logins.begin(
            tx, self._keyring, member_id, account.id, proof, origin, device_token=device_token
        )


def _bounds(
    owner: UUID | None, address_hash: bytes, device_hash: bytes | None, origin: Origin
) -> tuple[Bound, ...]:
    """Answers what bounds the tries: from a known device it alone, so that no stranger can use them up.

    The bound over all addresses of a member is quiet: to name it would tell that they belong together.
    """
    if device_hash is not None:
        return (Bound(f"device {device_hash.hex()}"),)
    address = address_hash.hex()
    return (
        Bound(f"member {owner or address}", quiet=True),
        Bound(f"address {address}"),
        guesses.client(origin.address),
    )


def _factor_bound(member_id: UUID, device_hash: bytes | None) -> Bound:
    known = f"device {device_hash.hex()}" if device_hash is not None else f"member {member_id}"
    return Bound(f"second factor {known}")
