"""Signing in by an OpenID provider: whom it signs in, and what is refused."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import grpc
import httpx
import pyotp
import pytest
import pytest_asyncio
from joserfc import jwt
from joserfc.jwk import RSAKey

from chassis.embedded.nats import Nats
from chassis.embedded.postgres import Postgres
from chassis.settings import SettingsError
from chassis.testing.callers import Callers
from chassis.testing.databases import DatabaseFactory
from chassis.testing.waiting import until
from services.identity.federation.oidc import providers
from tests.identity import make
from tests.identity.make import Identity, MovableClock, SignedIn
from tests.identity.oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider, provider
from tests.identity.smtp_server import Mailbox, text_of
from tests.identity.test_identity_policies import call, set_policy, switch
from tests.identity.test_identity_second_factor import enrol
from wrtn.access.v1.access_pb2 import Duty, Title
from wrtn.enterprise.v1.domains_pb2 import Domain, LookUpDomainRequest, LookUpDomainResponse
from wrtn.enterprise.v1.domains_pb2_grpc import DomainServiceServicer, add_DomainServiceServicer_to_server
from wrtn.identity.v1 import (
    auth_pb2,
    federation_pb2,
    members_pb2,
    second_factors_pb2,
    single_sign_on_pb2,
)
from wrtn.identity.v1.federation_pb2 import FederatedIdentity, FederatedSignIn

CODE = grpc.StatusCode
REFUSED = (CODE.UNAUTHENTICATED, "FEDERATED_SIGN_IN_REFUSED")


@dataclass
class Enterprise(DomainServiceServicer):
    """Enterprise, as far as it knows whose a domain is, and how that is proven."""

    domains: dict[str, tuple[str, Domain.Proof.ValueType]] = field(default_factory=dict)

    async def LookUpDomain(  # noqa: N802
        self, request: LookUpDomainRequest, context: Any
    ) -> LookUpDomainResponse:
        """Answers the owner."""
        owner, proof = self.domains.get(request.domain, ("", Domain.Proof.PROOF_UNSPECIFIED))
        return LookUpDomainResponse(enterprise_id=owner, proof=proof)

    def owns(self, domain: str, enterprise_id: str, *, by_dns: bool = True) -> None:
        """Makes the domain proven."""
        proof = Domain.Proof.PROOF_DNS if by_dns else Domain.Proof.PROOF_ADDRESS
        self.domains[domain] = (enterprise_id, proof)


@dataclass
class World:
    """Identity with a provider and enterprise beside it."""

    identity: Identity
    provider: Provider
    enterprise: Enterprise

    async def begin(self, provider_id: str = "test", *, address: str = "", uri: str = "") -> FederatedSignIn:
        """Begins a sign-in."""
        by = {"address": address} if address else {"provider_id": provider_id}
        request = federation_pb2.BeginFederatedSignInRequest(redirect_uri=uri, **by)
        return await self.identity.federation.BeginFederatedSignIn(request)

    async def complete(self, begun: FederatedSignIn, code: str, state: str) -> auth_pb2.TokenPair:
        """Completes a sign-in."""
        request = federation_pb2.CompleteFederatedSignInRequest(code=code, state=state, binding=begun.binding)
        return await self.identity.federation.CompleteFederatedSignIn(request)

    async def sign_in(
        self, subject: str, email: str, *, verified: bool | None = True, address: str = ""
    ) -> SignedIn:
        """Signs a person in from the beginning to the end."""
        begun = await self.begin(address=address)
        code, state = self.provider.authorize(begun.authorization_url, subject, email, verified=verified)
        return SignedIn(email, await self.complete(begun, code, state))

    async def link(self, by: SignedIn, subject: str, email: str, address: str = "") -> FederatedIdentity:
        """Links an identity."""
        asked = federation_pb2.BeginIdentityLinkRequest(provider_id="test")
        if address:
            asked.address = address
        begun = await self.identity.federation.BeginIdentityLink(asked, metadata=by.metadata)
        code, state = self.provider.authorize(begun.authorization_url, subject, email)
        request = federation_pb2.CompleteIdentityLinkRequest(code=code, state=state, binding=begun.binding)
        return await self.identity.federation.CompleteIdentityLink(request, metadata=by.metadata)

    async def set_up(self, enterprise_id: str, by: SignedIn, **more: Any) -> single_sign_on_pb2.SingleSignOn:
        """Sets the single sign-on of an enterprise."""
        given: dict[str, Any] = {
            "display_name": "Acme",
            "issuer": self.provider.issuer,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
        }
        request = single_sign_on_pb2.SetSingleSignOnRequest(enterprise_id=enterprise_id, **(given | more))
        return await self.identity.single_sign_on.SetSingleSignOn(request, metadata=by.metadata)

    async def linked(self, by: SignedIn) -> list[FederatedIdentity]:
        """Lists the identities of a member."""
        found = await self.identity.federation.ListFederatedIdentities(
            federation_pb2.ListFederatedIdentitiesRequest(), metadata=by.metadata
        )
        return list(found.federated_identities)

    async def unlink(self, by: SignedIn, identity_id: str) -> None:
        """Unlinks an identity."""
        request = federation_pb2.UnlinkFederatedIdentityRequest(identity_id=identity_id)
        await self.identity.federation.UnlinkFederatedIdentity(request, metadata=by.metadata)


@pytest_asyncio.fixture
async def world(
    database: DatabaseFactory,
    nats: Nats,
    mailbox: Mailbox,
    callers: Callers,
    clock: MovableClock,
    postgres: Postgres,
    tmp_path: Path,
) -> AsyncIterator[World]:
    """Identity, with a provider named "test" and with enterprise."""
    made, server = await database("identity"), grpc.aio.server()
    enterprise = Enterprise()  # type: ignore[abstract]
    add_DomainServiceServicer_to_server(enterprise, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with provider(clock) as oidc:
        file = tmp_path / "providers.toml"
        file.write_text(toml({"test": oidc.issuer, "tenants": f"{oidc.issuer}/common/v2.0"}))
        chosen = replace(
            make.settings(made, nats, mailbox, callers, tmp_path),
            enterprise_address=f"127.0.0.1:{port}",
            oidc_providers_file=file,
            outbound_inside=True,
        )
        url = postgres.url(made.name)
        async with make.serving(chosen, made, mailbox, callers, url, clock) as identity:
            yield World(identity, oidc, enterprise)
    await server.stop(0)


def toml(issuers: dict[str, str]) -> str:
    """Answers a file of providers."""
    return "\n".join(
        f"[{name}]\nissuer = {json.dumps(issuer)}\nclient_id = {json.dumps(CLIENT_ID)}\n"
        f"client_secret = {json.dumps(CLIENT_SECRET)}\n"
        for name, issuer in issuers.items()
    )


async def outcome(call: Any) -> tuple[grpc.StatusCode, str]:
    """Answers how a call ends, with the reason of a refusal."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code(), make.reason(error)
    return CODE.OK, ""


async def profile(world: World, by: SignedIn) -> members_pb2.Member:
    """Answers the member who is signed in."""
    request = members_pb2.GetMemberRequest(member_id="me")
    return await world.identity.members.GetMember(request, metadata=by.metadata)


async def test_an_address_that_nobody_has_makes_a_new_active_member_with_a_personal_account(
    world: World,
) -> None:
    email = make.fresh_email()
    signed_in = await world.sign_in("mina", email)
    member = await profile(world, signed_in)
    assert member.state == members_pb2.Member.STATE_ACTIVE
    assert [(each.address, each.primary, each.HasField("verify_time")) for each in member.emails] == [
        (email, True, True)
    ]
    (opened,) = await make.published(world.identity, "account.opened")
    assert (opened.account_id, opened.holder_member_id) == (signed_in.account_id, member.id)
    (login,) = await make.rows(world.identity, "SELECT methods FROM wrtn_logins", member.id)
    assert login.methods == ["FEDERATED"]
    # There is no password, so none is right: also not the one that is verified against for nobody.
    for password in ("", "nobody", "seven purple giraffes"):
        request = auth_pb2.SignInRequest(email=email, password=password or " ")
        assert (await outcome(world.identity.auth.SignIn(request)))[1] == "SIGN_IN_REFUSED"


async def test_who_has_verified_the_address_is_signed_in_and_linked_and_known_by_the_identity_from_then_on(
    world: World,
) -> None:
    mine = await make.member(world.identity)
    first = await world.sign_in("mina", mine.email)
    # By now the provider knows another address, which is nobody's business.
    again = await world.sign_in("mina", make.fresh_email(), verified=False)
    assert first.member_id == again.member_id == mine.member_id
    (linked,) = await world.linked(mine)
    assert (linked.provider_id, linked.email) == ("test", mine.email)
    acts = [action for action, _ in await make.audited(world.identity, mine.member_id)]
    assert acts.count("identity.linked") == 1


@pytest.mark.parametrize("verified", [False, None])
async def test_an_address_that_the_provider_does_not_vouch_for_is_refused_and_changes_nothing(
    world: World, verified: bool | None
) -> None:
    mine = await make.member(world.identity)
    for email in (mine.email, make.fresh_email(), ""):
        refused = await outcome(world.sign_in("thief", email, verified=verified))
        assert refused == (CODE.PERMISSION_DENIED, "ADDRESS_UNVERIFIED")
    assert await world.linked(mine) == []
    assert await make.as_superuser(world.identity, "SELECT count(*) FROM wrtn_members") == [(1,)]


def unsigned(claims: dict[str, Any]) -> str:
    """The algorithm none."""
    parts = (make.encoded({"alg": "none"}), make.encoded(claims), "")
    return ".".join(parts)


def confused(provider: Provider) -> Callable[[dict[str, Any]], str]:
    """HMAC keyed with the public key, which everybody knows."""
    public = provider.key.as_pem(private=False)

    def sign(claims: dict[str, Any]) -> str:
        body = f"{make.encoded({'alg': 'HS256', 'kid': provider.key.kid})}.{make.encoded(claims)}"
        mac = hmac.digest(public, body.encode(), "sha256")
        return f"{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"

    return sign


def foreign(provider: Provider) -> Callable[[dict[str, Any]], str]:
    """Another key under the provider's key id."""
    key = RSAKey.generate_key(2048)
    return lambda claims: jwt.encode({"alg": "RS256", "kid": provider.key.kid}, claims, key)


FORGED: dict[str, Any] = {
    "another issuer": {"iss": "https://accounts.google.com"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "another client"},
    "no audience": {"aud": None},
    "made for others too": {"aud": [CLIENT_ID, "another client"]},
    "asked for by another": {"aud": [CLIENT_ID, "another client"], "azp": "another client"},
    "another nonce": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "expired": {"exp": 1},
    "never expiring": {"exp": None},
    "no subject": {"sub": None},
    "a subject that is no text": {"sub": 7},
    "an endless subject": {"sub": "x" * 256},
}


@pytest.mark.parametrize("how", [*FORGED, "no algorithm", "HMAC by the public key", "a foreign key"])
async def test_a_forged_id_token_signs_nobody_in(world: World, how: str) -> None:
    email = make.fresh_email()
    world.provider.changes = FORGED.get(how, {})
    world.provider.signed = {
        "no algorithm": unsigned,
        "HMAC by the public key": confused(world.provider),
        "a foreign key": foreign(world.provider),
    }.get(how)
    assert await outcome(world.sign_in("mina", email)) == REFUSED
    assert await make.as_superuser(world.identity, "SELECT count(*) FROM wrtn_members") == [(0,)]
    world.provider.changes, world.provider.signed = {}, None
    assert (await world.sign_in("mina", email)).member_id


async def test_a_key_that_the_provider_has_changed_to_is_fetched(world: World) -> None:
    await world.sign_in("mina", make.fresh_email())
    world.provider.key = RSAKey.generate_key(2048, {"kid": "two"})
    refused = await outcome(world.sign_in("mina", ""))
    # Within the pause nobody is asked again, however many tokens name unknown keys.
    assert refused == REFUSED
    assert world.provider.asked.count("/jwks") == 1


@pytest.mark.parametrize(("tenant", "good"), [("acme", True), ("another", False), (None, False)])
async def test_an_issuer_for_many_tenants_speaks_for_the_one_that_it_names(
    world: World, tenant: str | None, good: bool
) -> None:
    world.provider.configuration = {"issuer": f"{world.provider.issuer}/{{tenantid}}/v2.0"}
    world.provider.changes = {"iss": f"{world.provider.issuer}/acme/v2.0", "tid": tenant}
    begun = await world.begin("tenants")
    code, state = world.provider.authorize(begun.authorization_url, "mina", make.fresh_email())
    assert (await outcome(world.complete(begun, code, state)) == REFUSED) is not good


async def test_a_state_is_good_once_and_for_who_began_alone(world: World, clock: MovableClock) -> None:
    mine, thief = await world.begin(), await world.begin()
    code, state = world.provider.authorize(mine.authorization_url, "mina", make.fresh_email())
    # The thief has state and code, and not the binding: nothing is used up by that.
    assert await outcome(world.complete(thief, code, state)) == REFUSED
    assert await outcome(world.complete(mine, code, "another state")) == REFUSED
    assert (await world.complete(mine, code, state)).access_token
    assert await outcome(world.complete(mine, code, state)) == REFUSED
    late = await world.begin()
    code, state = world.provider.authorize(late.authorization_url, "mina", make.fresh_email())
    clock.ahead = timedelta(minutes=10, seconds=1)
    assert await outcome(world.complete(late, code, state)) == REFUSED


async def test_of_parallel_completions_one_succeeds(world: World) -> None:
    begun = await world.begin()
    code, state = world.provider.authorize(begun.authorization_url, "mina", make.fresh_email())
    ends = await asyncio.gather(*(outcome(world.complete(begun, code, state)) for _ in range(5)))
    assert sorted(each[1] for each in ends) == ["", *[REFUSED[1]] * 4]


async def test_a_code_of_another_flow_does_not_pass_since_its_verifier_differs(world: World) -> None:
    mine, thief = await world.begin(), await world.begin()
    stolen, _ = world.provider.authorize(mine.authorization_url, "mina", make.fresh_email())
    _, state = world.provider.authorize(thief.authorization_url, "thief", make.fresh_email())
    assert await outcome(world.complete(thief, stolen, state)) == REFUSED


async def test_a_code_that_was_used_is_refused(world: World) -> None:
    first = await world.begin()
    code, state = world.provider.authorize(first.authorization_url, "mina", make.fresh_email())
    await world.complete(first, code, state)
    second = await world.begin()
    _, other = world.provider.authorize(second.authorization_url, "mina", make.fresh_email())
    assert await outcome(world.complete(second, code, other)) == REFUSED


async def test_nothing_of_a_flow_that_is_kept_completes_it(world: World) -> None:
    begun = await world.begin()
    query = parse_qs(urlsplit(begun.authorization_url).query)
    (row,) = await make.as_superuser(world.identity, "SELECT f::text FROM wrtn_federated_flows f")
    for secret in (begun.binding, query["state"][0], query["nonce"][0]):
        assert secret not in row[0]


async def test_an_unknown_provider_or_redirect_uri_is_refused(world: World) -> None:
    assert await outcome(world.begin("nobody")) == (CODE.NOT_FOUND, "SIGN_IN_PROVIDER_UNKNOWN")
    refused = await outcome(world.begin(uri="https://evil.example/callback"))
    assert refused == (CODE.INVALID_ARGUMENT, "REDIRECT_URI_UNKNOWN")
    assert (await world.begin(uri=f"{make.PUBLIC_URL}/sign-in/callback")).authorization_url


@pytest.mark.parametrize(
    "change", [{"issuer": "https://accounts.google.com"}, {"jwks_uri": 7}, {"x": "y" * 300_000}]
)
async def test_a_provider_that_answers_otherwise_than_it_should_is_unavailable(
    world: World, change: dict[str, Any]
) -> None:
    world.provider.configuration = change
    begun = outcome(world.sign_in("mina", make.fresh_email()))
    assert await begun == (CODE.UNAVAILABLE, "SIGN_IN_PROVIDER_UNAVAILABLE")


async def test_of_many_who_have_one_new_address_at_once_one_member_is_made(world: World) -> None:
    email = make.fresh_email()
    made = await asyncio.gather(*(world.sign_in("mina", email) for _ in range(4)))
    assert len({each.member_id for each in made}) == 1
    assert await make.as_superuser(world.identity, "SELECT count(*) FROM wrtn_members") == [(1,)]


async def test_two_members_never_have_one_identity_however_fast_they_link_it(world: World) -> None:
    people = [await make.member(world.identity) for _ in range(3)]
    ends = await asyncio.gather(
        *(outcome(world.link(each, "mina", make.fresh_email())) for each in people), return_exceptions=False
    )
    assert sorted(each[1] for each in ends) == ["", "IDENTITY_TAKEN", "IDENTITY_TAKEN"]
    assert [len(await world.linked(each)) for each in people].count(1) == 1


async def test_a_link_is_completed_by_who_began_it_alone(world: World) -> None:
    mine, other = await make.member(world.identity), await make.member(world.identity)
    begun = await world.identity.federation.BeginIdentityLink(
        federation_pb2.BeginIdentityLinkRequest(provider_id="test"), metadata=mine.metadata
    )
    code, state = world.provider.authorize(begun.authorization_url, "mina", make.fresh_email())
    request = federation_pb2.CompleteIdentityLinkRequest(code=code, state=state, binding=begun.binding)
    wrong = world.identity.federation.CompleteIdentityLink(request, metadata=other.metadata)
    assert await outcome(wrong) == REFUSED
    signing_in = await world.begin()
    code, state = world.provider.authorize(signing_in.authorization_url, "mina", make.fresh_email())
    request = federation_pb2.CompleteIdentityLinkRequest(code=code, state=state, binding=signing_in.binding)
    wrong = world.identity.federation.CompleteIdentityLink(request, metadata=mine.metadata)
    assert await outcome(wrong) == REFUSED


async def test_linking_wants_a_proof_of_who_has_not_just_signed_in(world: World, clock: MovableClock) -> None:
    mine = await make.member(world.identity)
    clock.ahead = timedelta(minutes=11)
    refused = await outcome(world.link(mine, "mina", make.fresh_email()))
    assert refused == (CODE.FAILED_PRECONDITION, "PROOF_MISSING")


async def test_the_last_way_to_sign_in_is_not_unlinked_also_by_two_at_once(world: World) -> None:
    mine = await world.sign_in("mina", make.fresh_email())
    (only,) = await world.linked(mine)
    refused = await outcome(world.unlink(mine, only.id))
    assert refused == (CODE.FAILED_PRECONDITION, "LAST_WAY_TO_SIGN_IN")
    other = await world.link(mine, "mina elsewhere", make.fresh_email())
    ends = await asyncio.gather(*(outcome(world.unlink(mine, each.id)) for each in (only, other)))
    assert sorted(each[1] for each in ends) == ["", "LAST_WAY_TO_SIGN_IN"]
    assert len(await world.linked(mine)) == 1


async def test_who_has_a_password_unlinks_and_the_identity_is_free_again(world: World) -> None:
    mine, other = await make.member(world.identity), await make.member(world.identity)
    linked = await world.link(mine, "mina", make.fresh_email())
    assert await outcome(world.unlink(other, linked.id)) == (CODE.NOT_FOUND, "IDENTITY_NOT_FOUND")
    await world.unlink(mine, linked.id)
    assert await world.linked(mine) == []
    assert (await world.link(other, "mina", make.fresh_email())).id


async def test_linking_and_unlinking_are_told_by_mail_and_end_no_login(world: World) -> None:
    mine = await make.member(world.identity)
    linked = await world.link(mine, "mina", mine.email)
    in_by_it = await world.sign_in("mina", mine.email)
    await world.unlink(mine, linked.id)
    assert await make.works(world.identity, mine)
    assert await make.works(world.identity, in_by_it)
    await world.identity.mailbox.wait_for(mine.email, 3)
    told = [text_of(each) for each in world.identity.mailbox.to(mine.email)]
    assert sum("was linked" in each for each in told) == 1
    assert sum("was unlinked" in each for each in told) == 1


async def test_who_has_an_app_is_asked_for_its_code_after_another_provider_too(
    world: World, clock: MovableClock
) -> None:
    mine = await make.member(world.identity)
    await world.link(mine, "mina", mine.email)
    begun = await world.identity.factors.EnrolTotp(
        second_factors_pb2.EnrolTotpRequest(), metadata=mine.metadata
    )
    app = pyotp.TOTP(parse_qs(urlsplit(begun.uri).query)["secret"][0])
    await world.identity.factors.ConfirmTotp(
        second_factors_pb2.ConfirmTotpRequest(code=app.at(clock.now())), metadata=mine.metadata
    )
    clock.ahead += timedelta(seconds=30)
    asked = (await world.sign_in("mina", mine.email)).pair
    assert (asked.access_token, asked.refresh_token) == ("", "")
    request = auth_pb2.CompleteSignInRequest(
        challenge=asked.second_factor.challenge, totp_code=app.at(clock.now())
    )
    completed = await world.identity.auth.CompleteSignIn(request)
    assert completed.member_id == mine.member_id
    query = f"SELECT methods FROM wrtn_logins WHERE member_id = '{mine.member_id}' ORDER BY create_time DESC"
    methods, *_ = await make.as_superuser(world.identity, query)
    assert methods == (["FEDERATED", "TOTP"],)


async def test_an_enterprises_provider_does_not_bring_anybody_past_their_second_factor(
    world: World, clock: MovableClock
) -> None:
    mine = await make.member(world.identity, "mina@acme.example")
    enterprise_id, owner = await employ(world, "acme.example")
    connection = await world.set_up(enterprise_id, owner, link_employees=True)
    account = await make.open_account(world.identity, mine.member_id, enterprise_id=enterprise_id)
    world.identity.titles[enterprise_id, account.id] = Title.TITLE_MEMBER
    app, _ = await enrol(world.identity, clock, mine)
    asked = (await world.sign_in("mina", mine.email, address=mine.email)).pair
    assert (asked.access_token, asked.refresh_token) == ("", "")
    request = auth_pb2.CompleteSignInRequest(challenge=asked.second_factor.challenge, totp_code=app.code())
    completed = await world.identity.auth.CompleteSignIn(request)
    assert (completed.member_id, completed.account_id) == (mine.member_id, account.id)
    query = (
        "SELECT methods, connection_id::text, connection_tenant_id::text FROM wrtn_logins"
        f" WHERE member_id = '{mine.member_id}' ORDER BY create_time DESC LIMIT 1"
    )
    assert await make.as_superuser(world.identity, query) == [
        (["FEDERATED", "TOTP"], connection.id, enterprise_id)
    ]
    # The code that the provider could not know opens the rest as well.
    personal = await make.refresh(world.identity, completed.refresh_token, mine.account_id)
    assert personal.account_id == mine.account_id


async def test_a_suspended_member_does_not_come_in_by_another_door(world: World) -> None:
    mine = await make.member(world.identity)
    await world.link(mine, "mina", mine.email)
    await make.as_superuser(world.identity, "UPDATE wrtn_members SET state = 'SUSPENDED'")
    assert (await outcome(world.sign_in("mina", mine.email)))[1] == "MEMBER_SUSPENDED"


async def test_subjects_and_addresses_are_not_readable_in_the_tables(world: World) -> None:
    await world.sign_in("subject-of-mina", "mina@secret.example")
    for table in ("federated_identities", "federated_subjects"):
        dump = str(await make.as_superuser(world.identity, f"SELECT t::text FROM wrtn_{table} t"))
        for secret in ("subject-of-mina", "mina@secret.example"):
            assert secret not in dump
            assert secret.encode().hex() not in dump


async def employ(world: World, domain: str) -> tuple[str, SignedIn]:
    """Makes an enterprise with a proven domain, and its owner."""
    enterprise_id, owner = await make.owner(world.identity)
    world.enterprise.owns(domain, enterprise_id)
    return enterprise_id, owner


async def test_an_enterprise_signs_its_people_in_by_its_own_provider(world: World) -> None:
    enterprise_id, owner = await employ(world, "acme.example")
    connection = await world.set_up(enterprise_id, owner)
    found = await world.identity.federation.DiscoverSignIn(
        federation_pb2.DiscoverSignInRequest(address="anybody@acme.example")
    )
    assert (found.single_sign_on, found.display_name) == (True, "Acme")
    # The provider of an enterprise need not say that it has verified an address of its own domain.
    new = await world.sign_in("mina", "mina@acme.example", verified=None, address="x@acme.example")
    (login,) = await make.rows(
        world.identity, "SELECT methods, connection_id, connection_tenant_id FROM wrtn_logins", new.member_id
    )
    assert tuple(login) == (["FEDERATED"], UUID(connection.id), UUID(enterprise_id))
    (linked,) = await world.linked(new)
    assert (linked.provider_id, linked.enterprise_id) == ("", enterprise_id)


async def test_the_provider_of_an_enterprise_asserts_addresses_of_its_proven_domains_alone(
    world: World,
) -> None:
    victim = await make.member(world.identity)
    enterprise_id, owner = await employ(world, "acme.example")
    await world.set_up(enterprise_id, owner, link_employees=True)
    world.enterprise.owns("weak.example", enterprise_id, by_dns=False)
    for email in (victim.email, "mina@weak.example", "mina@nobody.example", ""):
        refused = await outcome(world.sign_in("mina", email, address="x@acme.example"))
        assert refused == (CODE.PERMISSION_DENIED, "ADDRESS_NOT_OF_ENTERPRISE")
    unknown = await outcome(world.begin(address="mina@weak.example"))
    assert unknown == (CODE.NOT_FOUND, "SIGN_IN_PROVIDER_UNKNOWN")
    assert await world.linked(victim) == []
    # A domain that was lost has no say any more, also for who is linked.
    await world.sign_in("mina", "mina@acme.example", address="x@acme.example")
    begun = await world.begin(address="x@acme.example")
    code, state = world.provider.authorize(begun.authorization_url, "mina", "mina@acme.example")
    world.enterprise.domains.clear()
    assert (await outcome(world.complete(begun, code, state)))[1] == "ADDRESS_NOT_OF_ENTERPRISE"


async def test_a_subject_at_an_enterprises_provider_is_not_the_one_that_anybody_signs_in_by(
    world: World,
) -> None:
    mine = await make.member(world.identity)
    await world.link(mine, "mina", mine.email)
    enterprise_id, owner = await employ(world, "acme.example")
    await world.set_up(enterprise_id, owner)
    # The same issuer and subject, but said through the client of the enterprise.
    other = await world.sign_in("mina", "mina@acme.example", address="x@acme.example")
    assert other.member_id != mine.member_id


@pytest.mark.parametrize("link_employees", [True, False])
async def test_an_employee_is_linked_by_signing_in_if_the_enterprise_wants_it_so(
    world: World, link_employees: bool
) -> None:
    mine = await make.member(world.identity, "mina@acme.example")
    enterprise_id, owner = await employ(world, "acme.example")
    await world.set_up(enterprise_id, owner, link_employees=link_employees)
    needed = (CODE.PERMISSION_DENIED, "IDENTITY_LINK_NEEDED")
    # A member of the domain who does not work there has to say so themselves.
    assert await outcome(world.sign_in("mina", mine.email, address=mine.email)) == needed
    account = await make.open_account(world.identity, mine.member_id, enterprise_id=enterprise_id)
    world.identity.titles[enterprise_id, account.id] = Title.TITLE_MEMBER
    if not link_employees:
        assert await outcome(world.sign_in("mina", mine.email, address=mine.email)) == needed
        await world.link(mine, "mina", mine.email, address=mine.email)
    signed_in = await world.sign_in("mina", mine.email, address=mine.email)
    assert (signed_in.member_id, signed_in.account_id) == (mine.member_id, account.id)


async def test_discovery_tells_the_same_of_every_address_of_a_domain(world: World) -> None:
    enterprise_id, owner = await employ(world, "acme.example")
    await world.set_up(enterprise_id, owner)
    await make.member(world.identity, "known@acme.example")
    answers = [
        await world.identity.federation.DiscoverSignIn(federation_pb2.DiscoverSignInRequest(address=each))
        for each in ("known@acme.example", "unknown@acme.example", "UNKNOWN@ACME.example")
    ]
    assert all(each == answers[0] for each in answers)
    nobody = federation_pb2.DiscoverSignInRequest(address="known@elsewhere.example")
    found = await world.identity.federation.DiscoverSignIn(nobody)
    assert found == federation_pb2.DiscoverSignInResponse()


async def test_a_connection_is_kept_by_who_keeps_the_security_and_its_secret_is_never_answered(
    world: World,
) -> None:
    enterprise_id, owner = await employ(world, "acme.example")
    acting = (enterprise_id, owner.account_id)
    world.identity.titles[acting] = Title.TITLE_MANAGER
    world.identity.running.runtime.access.clear()
    assert (await outcome(world.set_up(enterprise_id, owner)))[0] is CODE.PERMISSION_DENIED
    world.identity.duties[acting] = Duty.DUTY_SECURITY
    world.identity.running.runtime.access.clear()
    made = await world.set_up(enterprise_id, owner)
    request = single_sign_on_pb2.GetSingleSignOnRequest(enterprise_id=enterprise_id)
    got = await world.identity.single_sign_on.GetSingleSignOn(request, metadata=owner.metadata)
    assert got == made
    dump = str(await make.as_superuser(world.identity, "SELECT t::text FROM wrtn_single_sign_ons t"))
    assert CLIENT_SECRET not in dump
    # Without a secret the one there is stays, but it is not sent to another client or issuer.
    assert (await world.set_up(enterprise_id, owner, display_name="A", client_secret="")).id == made.id
    wrong = world.set_up(enterprise_id, owner, client_id="another", client_secret="")
    assert await outcome(wrong) == (CODE.INVALID_ARGUMENT, "CLIENT_SECRET_MISSING")


async def test_a_removed_connection_signs_nobody_in(world: World) -> None:
    enterprise_id, owner = await employ(world, "acme.example")
    await world.set_up(enterprise_id, owner)
    begun = await world.begin(address="mina@acme.example")
    code, state = world.provider.authorize(begun.authorization_url, "mina", "mina@acme.example")
    request = single_sign_on_pb2.DeleteSingleSignOnRequest(enterprise_id=enterprise_id)
    for _ in range(2):
        await world.identity.single_sign_on.DeleteSingleSignOn(request, metadata=owner.metadata)
    assert await outcome(world.complete(begun, code, state)) == REFUSED
    actions = [action for action, _ in await make.audited(world.identity, enterprise_id)]
    assert actions.count("single_sign_on.removed") == 1


async def test_an_issuer_that_is_no_provider_is_not_set(world: World) -> None:
    enterprise_id, owner = await employ(world, "acme.example")
    for issuer in ("http://127.0.0.1:1", f"{world.provider.issuer}/another"):
        refused = await outcome(world.set_up(enterprise_id, owner, issuer=issuer))
        assert refused == (CODE.FAILED_PRECONDITION, "ISSUER_UNUSABLE")


@pytest.mark.parametrize(
    "issuer",
    [
        "http://127.0.0.1:8080",
        "https://127.0.0.1",
        "https://169.254.169.254",
        "https://[::1]",
        "https://localhost",
    ],
)
async def test_the_provider_of_an_enterprise_is_never_looked_for_inside(
    identity: Identity, issuer: str
) -> None:
    enterprise_id, owner = await make.owner(identity)
    request = single_sign_on_pb2.SetSingleSignOnRequest(
        enterprise_id=enterprise_id, display_name="x", issuer=issuer, client_id="x", client_secret="x"
    )
    refused = await outcome(identity.single_sign_on.SetSingleSignOn(request, metadata=owner.metadata))
    assert refused == (CODE.INVALID_ARGUMENT, "ISSUER_REFUSED")


def test_providers_have_presets_and_every_mistake_is_named_without_the_secret(tmp_path: Path) -> None:
    file = tmp_path / "providers.toml"
    file.write_text(
        '[google]\nclient_id = "a"\nclient_secret = "b"\n[microsoft]\nclient_id = "a"\nclient_secret = "b"\n'
    )
    read = providers.read(file, "https://chat.example.com/")
    assert read.by_id["google"].issuer == "https://accounts.google.com"
    assert read.by_id["microsoft"].issuer == "https://login.microsoftonline.com/common/v2.0"
    assert read.redirect_uris == ("https://chat.example.com/sign-in/callback",)
    assert "b'" not in repr(read)
    for wrong in (
        "[own]\nclient_id = 'a'\nclient_secret = 'canary'",
        "[own]\nissuer = 'http://id.example.com'\nclient_id = 'a'\nclient_secret = 'canary'",
        "[google]\nclient_secret = 'canary'",
        "[google]\nclient_id = 'a'\nclient_secret = 'canary'\nscope = 'x'",
        "canary",
    ):
        file.write_text(wrong)
        with pytest.raises(SettingsError, match="WRTN_OIDC_PROVIDERS_FILE") as refused:
            providers.read(file, None)
        assert "canary" not in str(refused.value)


@pytest.fixture
def mock() -> Iterator[str]:
    """A provider that we have not written, as a process of its own; answers its issuer."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", port]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(10)


async def test_an_independent_provider_signs_members_in(world: World, mock: str) -> None:
    email = make.fresh_email()
    enterprise_id, owner = await employ(world, "example.com")
    async with httpx.AsyncClient() as browser:
        await until(lambda: _answers(browser, mock))
        await browser.put(f"{mock}/users/mina", json={"email": email, "email_verified": True, "name": "Mina"})
        await world.set_up(enterprise_id, owner, issuer=mock)
        begun = await world.begin(address=email)
        back = await browser.post(begun.authorization_url, data={"sub": "mina"})
    query = parse_qs(urlsplit(back.headers["location"]).query)
    pair = await world.complete(begun, query["code"][0], query["state"][0])
    member = await profile(world, SignedIn(email, pair))
    assert member.display_name == "Mina"
    assert await outcome(world.complete(begun, query["code"][0], query["state"][0])) == REFUSED


async def _answers(browser: httpx.AsyncClient, issuer: str) -> bool:
    try:
        return (await browser.get(f"{issuer}/.well-known/openid-configuration")).status_code == 200
    except httpx.TransportError:
        return False


async def test_single_sign_on_satisfies_the_policy_that_asks_for_it_and_for_a_second_factor(
    world: World,
) -> None:
    enterprise_id, first = await employ(world, "acme.example")
    await world.set_up(enterprise_id, first, link_employees=True)
    await world.link(first, "boss", "boss@acme.example", address="boss@acme.example")
    owner = await world.sign_in("boss", "boss@acme.example", address="boss@acme.example")
    assert owner.account_id == first.account_id
    mine = await make.member(world.identity, "mina@acme.example")
    account = await make.open_account(world.identity, mine.member_id, enterprise_id=enterprise_id)
    world.identity.titles[enterprise_id, account.id] = Title.TITLE_MEMBER
    asked: dict[str, Any] = {"single_sign_on_required": True, "second_factor_required": True}
    # Who has not signed in so cannot ask others to.
    assert (await outcome(set_policy(world.identity, first, enterprise_id, **asked)))[
        1
    ] == "POLICY_LOCKS_OUT_AUTHOR"
    await set_policy(world.identity, owner, enterprise_id, **asked)
    refused = "SINGLE_SIGN_ON_REQUIRED"
    assert await switch(world.identity, mine.pair, account.id) == refused, "a password does not suffice"
    # The same person at a provider that anybody signs in by, with the same address.
    other = await world.sign_in("mina", mine.email)
    assert other.member_id == mine.member_id
    assert await switch(world.identity, other.pair, account.id) == refused
    signed_in = await world.sign_in("mina", mine.email, address=mine.email)
    assert (signed_in.member_id, signed_in.account_id) == (mine.member_id, account.id)
    assert await call(world.identity, signed_in.pair.access_token) == ""
    refreshed = await make.refresh(world.identity, signed_in.pair.refresh_token)
    assert await call(world.identity, refreshed.access_token) == "", "and so until the login ends"
