"""Identity with an OpenID provider and enterprise beside it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import grpc

from tests.identity import make
from tests.identity.ground import Ground
from tests.identity.make import SignedIn
from tests.identity.oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider, provider
from tests.identity.service import Identity
from wrtn.enterprise.v1.domains_pb2 import Domain, LookUpDomainRequest, LookUpDomainResponse
from wrtn.enterprise.v1.domains_pb2_grpc import DomainServiceServicer, add_DomainServiceServicer_to_server
from wrtn.identity.v1 import (
    auth_pb2,
    federation_pb2,
    members_pb2,
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
    domain: str = ""
    """One that no other test proves."""

    def renew(self) -> None:
        """Begins for another test."""
        self.provider.renew()
        self.domain = f"{self.provider.clock.new_id()}.example"

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


@asynccontextmanager
async def federated(on: Ground) -> AsyncIterator[World]:
    """Serves identity, with a provider named "test" and with enterprise."""
    server = grpc.aio.server()
    enterprise = Enterprise()  # type: ignore[abstract]
    add_DomainServiceServicer_to_server(enterprise, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with provider(on.clock) as oidc:
        file = on.folder / "providers.toml"
        file.write_text(toml({"test": oidc.issuer, "tenants": f"{oidc.issuer}/common/v2.0"}))
        made = await on.database("identity")
        chosen = replace(
            on.settings(made),
            enterprise_address=f"127.0.0.1:{port}",
            oidc_providers_file=file,
            outbound_inside=True,
        )
        async with on.serving(made, chosen) as identity:
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


async def employ(world: World, domain: str) -> tuple[str, SignedIn]:
    """Makes an enterprise with a proven domain, and its owner."""
    enterprise_id, owner = await make.owner(world.identity)
    world.enterprise.owns(domain, enterprise_id)
    return enterprise_id, owner
