"""Signing in by another provider of identities: beginning, completing, and whom it signs in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from chassis.access.employment import AccessCache
from chassis.clock import Clock
from chassis.crypto import Keyring
from chassis.database import Database, Scope, Transaction
from chassis.errors import Aborted
from services.identity import bearers
from services.identity.errors import (
    AddressNotOfEnterprise,
    AddressUnverified,
    IdentityLinkNeeded,
    IdentityTaken,
    ProviderUnknown,
    RedirectUriUnknown,
)
from services.identity.factors import factors
from services.identity.federation import identities
from services.identity.federation.oidc import client
from services.identity.federation.oidc.client import Asserted, Client, Secrets
from services.identity.federation.oidc.providers import Provider, Providers
from services.identity.federation.single_sign_on import Connections
from services.identity.logins import logins
from services.identity.logins.logins import Origin, Proof
from services.identity.mail.post import Post
from services.identity.members import addresses, members
from services.identity.members.members import Person
from services.identity.models import Account, FederatedFlow, FederatedIdentity, LoginMethod
from services.identity.sign_in import challenges
from services.identity.sign_in.challenges import Challenge
from services.identity.sign_in.signing_in import SignIns, Tokens
from services.identity.store import Accounts, Flows, Identities, Members

LIFETIME = timedelta(minutes=10)
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class By:
    """By whom to sign in: a configured provider, or the single sign-on of the domain of an address."""

    provider_id: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class Begun:
    """A flow that has begun, for who began it."""

    authorization_url: str
    binding: str
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class Returned:
    """What came back from the provider, and the binding of who began it."""

    state: str
    code: str
    binding: str


@dataclass(frozen=True, slots=True)
class _Found:
    """Whom an identity signs in, and by which account; `new` is to be registered first."""

    member_id: UUID
    account_id: UUID
    new: bool = False


class Federation:
    """Begins and completes flows. What a flow knows is derived from its binding, and kept by the client."""

    def __init__(
        self,
        db: Database,
        keyring: Keyring,
        clock: Clock,
        providers: Providers,
        connections: Connections,
        client: Client,
        sign_ins: SignIns,
        access: AccessCache,
        post: Post,
    ) -> None:
        self._db = db
        self._keyring = keyring
        self._clock = clock
        self._providers = providers
        self._connections = connections
        self._client = client
        self._sign_ins = sign_ins
        self._access = access
        self._post = post

    @property
    def providers(self) -> tuple[Provider, ...]:
        """The configured providers."""
        return tuple(self._providers.by_id.values())

    async def discover(self, address: str) -> Provider | None:
        """Answers the single sign-on of the domain of an address."""
        return await self._connections.of_address(address)

    async def begin(self, by: By, redirect_uri: str, link_member_id: UUID | None = None) -> Begun:
        """Begins a sign-in, or a link; raises ProviderUnknown, RedirectUriUnknown, ProviderUnavailable."""
        known = self._providers.redirect_uris
        chosen = redirect_uri or (known[0] if known else "")
        if chosen not in known:
            raise RedirectUriUnknown("The redirect URI is not configured.", field="redirect_uri")
        provider = await self._named(by)
        secrets = Secrets(binding=self._clock.secret(32), state=self._clock.secret(32))
        url = await self._client.authorization_url(provider, chosen, secrets)
        async with self._db.transaction(Scope()) as tx:
            flow = FederatedFlow(
                state_hash=bearers.digest(secrets.state),
                binding_hash=bearers.digest(secrets.binding),
                provider_id=provider.id,
                tenant_id=provider.tenant_id,
                link_member_id=link_member_id,
                redirect_uri=chosen,
                expire_time=tx.now + LIFETIME,
            )
            tx.session.add(flow)
        return Begun(url, secrets.binding, flow.expire_time)

    async def complete(self, returned: Returned, locale: str, origin: Origin) -> Tokens | Challenge:
        """Signs in whom the identity belongs to, or will from now on.

        Raises FederatedSignInRefused, AddressUnverified, AddressNotOfEnterprise, IdentityLinkNeeded,
        ProviderUnavailable, and MemberSuspended or MembershipClosed.
        """
        provider, asserted = await self._returned(returned, None)
        for _ in range(_ATTEMPTS):
            found = await self._found(provider, asserted)
            try:
                outcome = await self._enter(provider, asserted, found, locale, origin)
            except IdentityTaken:
                # A twin of this call linked the identity a moment before: it is found now.
                continue
            if outcome is not None:
                return await self._sign_ins.signed(outcome) if not isinstance(outcome, Challenge) else outcome
        raise Aborted("The address is being claimed at this moment; try again.", retry_after=0)

    async def link(self, returned: Returned, member_id: UUID) -> tuple[FederatedIdentity, str]:
        """Links the identity to who began this; raises FederatedSignInRefused, IdentityTaken."""
        provider, asserted = await self._returned(returned, member_id)
        async with self._db.transaction(Scope.of(member_id=member_id)) as tx:
            row = await identities.link(tx, self._keyring, self._post, member_id, provider, asserted)
        return row, asserted.email

    async def purge(self) -> None:
        """Deletes the flows that nobody completed."""
        async with self._db.transaction(Scope()) as tx:
            await Flows(tx).purge(tx.now)

    async def _named(self, by: By) -> Provider:
        provider = self._providers.by_id.get(by.provider_id) if by.provider_id else None
        if by.address:
            provider = await self._connections.of_address(by.address)
        if provider is None:
            raise ProviderUnknown("No such provider is configured.", field="by")
        return provider

    async def _returned(self, returned: Returned, member_id: UUID | None) -> tuple[Provider, Asserted]:
        """Takes the flow, which is good once whatever comes of it, and redeems the code."""
        async with self._db.transaction(Scope()) as tx:
            state, binding = bearers.digest(returned.state), bearers.digest(returned.binding)
            flow = await Flows(tx).take(state, binding, tx.now)
        if flow is None or flow.link_member_id != member_id:
            raise client.refused("the state is unknown, used, expired or another's")
        provider = await self._of_flow(flow)
        secrets = Secrets(returned.binding, returned.state)
        asserted = await self._client.redeem(provider, returned.code, flow.redirect_uri, secrets)
        await self._check_domain(provider, asserted)
        return provider, asserted

    async def _of_flow(self, flow: FederatedFlow) -> Provider:
        """Answers the provider as it is now; one that was removed since has no say any more."""
        if flow.tenant_id is None:
            provider = self._providers.by_id.get(flow.provider_id)
        else:
            provider = await self._connections.of_tenant(flow.tenant_id)
        if provider is None or provider.id != flow.provider_id:
            raise client.refused("the provider is gone")
        return provider

    async def _check_domain(self, provider: Provider, asserted: Asserted) -> None:
        """Raises AddressNotOfEnterprise unless an enterprise's provider speaks of its own domains."""
        if provider.tenant_id is None:
            return
        owner = await self._connections.domains.owner_of(asserted.email) if asserted.email else None
        if owner != provider.tenant_id:
            raise AddressNotOfEnterprise("The enterprise has not proven the domain of this address.")

    async def _found(self, provider: Provider, asserted: Asserted) -> _Found:
        """Answers whom the identity signs in: by the link, else by the address, else somebody new."""
        async with self._db.snapshot(Scope()) as snapshot:
            subject_hash = identities.subject_hash(self._keyring, provider, asserted)
            member_id = await Identities(snapshot).owner_of(subject_hash)
            linked = member_id is not None
            if member_id is None:
                # An enterprise's provider vouches for its domains by who it is.
                if not asserted.email or not (asserted.email_verified or provider.tenant_id):
                    raise AddressUnverified(
                        "The provider does not vouch for your address; sign in otherwise."
                    )
                address_hash = self._keyring.lookup(addresses.PURPOSE, addresses.sought(asserted.email))
                member_id = await Members(snapshot).owner_of(address_hash)
        if member_id is None:
            return _Found(self._clock.new_id(), self._clock.new_id(), new=True)
        account, employed = await self._account(provider, member_id)
        if provider.tenant_id is not None and not linked and not (employed and provider.link_employees):
            raise IdentityLinkNeeded("Sign in as before, and link the single sign-on to your membership.")
        return _Found(member_id, account.id)

    async def _account(self, provider: Provider, member_id: UUID) -> tuple[Account, bool]:
        """Answers the account to act by, and whether it is one of the enterprise's employees'."""
        async with self._db.snapshot(Scope.of(member_id=member_id)) as snapshot:
            members.refuse_barred((await members.get(snapshot, member_id)).state)
            personal = await Accounts(snapshot).personal(member_id)
            tenant_id = provider.tenant_id
            held = await Accounts(snapshot).held_of(member_id, tenant_id) if tenant_id is not None else None
        if held is not None and await self._access.resolve(held.tenant_id, held.id, fresh=True) is not None:
            return held, True
        if personal is None:
            raise client.refused("the member has no account")
        return personal, False

    async def _enter(
        self, provider: Provider, asserted: Asserted, found: _Found, locale: str, origin: Origin
    ) -> logins.Acting | Challenge | None:
        """Registers, links and opens the login together; None if somebody claimed the address just now."""
        scope = Scope.of(*((found.account_id,) if found.new else ()), member_id=found.member_id)
        proof = Proof((LoginMethod.FEDERATED,), provider.connection_id, provider.tenant_id)
        try:
            async with self._db.transaction(scope) as tx:
                if found.new:
                    await self._register(tx, asserted, found, locale)
                post = None if found.new else self._post
                await identities.link(tx, self._keyring, post, found.member_id, provider, asserted)
                # Also after an enterprise's own provider: the login may act by the member's personal account.
                if await factors.active(tx, found.member_id):
                    return challenges.pose(tx, found.member_id, proof, account_id=found.account_id)
                return await logins.begin(tx, self._keyring, found.member_id, found.account_id, proof, origin)
        except _AddressClaimed:
            return None

    async def _register(self, tx: Transaction, asserted: Asserted, found: _Found, locale: str) -> None:
        """Adds an active member without a password, whose address the provider has verified."""
        address = addresses.parsed(asserted.email)
        name = (asserted.name or address.partition("@")[0])[:100]
        person = Person(found.member_id, address, name, "", locale or members.LOCALE)
        if not await members.add_verified(tx, self._keyring, person, found.account_id):
            raise _AddressClaimed


class _AddressClaimed(Exception):
    """Somebody verified the address between the look and the transaction, which is undone."""
