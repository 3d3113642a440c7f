"""wrtn.identity.v1 FederationService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc
from google.protobuf.empty_pb2 import Empty

from chassis import call
from chassis.crypto import Keyring
from chassis.database import Database, Transaction
from chassis.idempotency import once
from chassis.paging import Page, time_and_id
from services.identity import convert
from services.identity.federation import identities
from services.identity.federation.federation import Begun, By, Federation, Returned
from services.identity.logins.logins import Origin
from services.identity.mail.post import Post
from services.identity.rpc.callers import given, member_of, signed_in
from services.identity.sign_in.proofs import Proofs
from wrtn.identity.v1 import auth_pb2, federation_pb2
from wrtn.identity.v1.federation_pb2_grpc import FederationServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class FederationRpc(FederationServiceServicer):
    """wrtn.identity.v1 FederationService. What begins or completes a flow cannot be replayed by a key."""

    def __init__(
        self, db: Database, keyring: Keyring, post: Post, federation: Federation, proofs: Proofs
    ) -> None:
        self._db = db
        self._post = post
        self._keyring = keyring
        self._federation = federation
        self._proofs = proofs

    async def ListSignInProviders(
        self, request: federation_pb2.ListSignInProvidersRequest, context: Context
    ) -> federation_pb2.ListSignInProvidersResponse:
        """Answers from memory."""
        found = [
            federation_pb2.SignInProvider(id=each.id, display_name=each.display_name)
            for each in self._federation.providers
        ]
        return federation_pb2.ListSignInProvidersResponse(providers=found)

    async def DiscoverSignIn(
        self, request: federation_pb2.DiscoverSignInRequest, context: Context
    ) -> federation_pb2.DiscoverSignInResponse:
        """Looks at the domain alone."""
        found = await self._federation.discover(request.address)
        return federation_pb2.DiscoverSignInResponse(
            single_sign_on=found is not None, display_name=found.display_name if found is not None else ""
        )

    async def BeginFederatedSignIn(
        self, request: federation_pb2.BeginFederatedSignInRequest, context: Context
    ) -> federation_pb2.FederatedSignIn:
        """Repeating it begins another one."""
        by = By(request.provider_id, request.address)
        return _begun(await self._federation.begin(by, request.redirect_uri))

    async def CompleteFederatedSignIn(
        self, request: federation_pb2.CompleteFederatedSignInRequest, context: Context
    ) -> auth_pb2.TokenPair:
        """Repeating it is refused: a state is good once."""
        returned = Returned(request.state, request.code, request.binding)
        return convert.token_pair(await self._federation.complete(returned, request.locale, Origin.current()))

    async def BeginIdentityLink(
        self, request: federation_pb2.BeginIdentityLinkRequest, context: Context
    ) -> federation_pb2.FederatedSignIn:
        """Who has just signed in needs no other proof."""
        caller = call.current().caller
        member_id, login_id = signed_in(caller)
        proven = await self._proofs.prove(member_id, login_id, given(request.proof))
        async with self._db.transaction(caller.scope) as tx:
            await self._proofs.use(tx, member_id, proven)
        by = By(request.provider_id, request.address)
        return _begun(await self._federation.begin(by, request.redirect_uri, member_id))

    async def CompleteIdentityLink(
        self, request: federation_pb2.CompleteIdentityLinkRequest, context: Context
    ) -> federation_pb2.FederatedIdentity:
        """Repeating it is refused: a state is good once."""
        member_id, _ = signed_in(call.current().caller)
        returned = Returned(request.state, request.code, request.binding)
        return convert.federated_identity(*await self._federation.link(returned, member_id))

    async def ListFederatedIdentities(
        self, request: federation_pb2.ListFederatedIdentitiesRequest, context: Context
    ) -> federation_pb2.ListFederatedIdentitiesResponse:
        """The caller's own."""
        page = Page.of(request)
        caller = call.current().caller
        before = page.after(time_and_id)
        async with self._db.snapshot(caller.scope) as snapshot:
            rows = await identities.newest(snapshot, self._keyring, member_of(caller), before, page.size + 1)
        found, token = page.cut(rows, key=lambda row: (row[0].create_time.isoformat(), str(row[0].id)))
        return federation_pb2.ListFederatedIdentitiesResponse(
            federated_identities=[convert.federated_identity(*each) for each in found], next_page_token=token
        )

    async def UnlinkFederatedIdentity(
        self, request: federation_pb2.UnlinkFederatedIdentityRequest, context: Context
    ) -> Empty:
        """The logins that were opened by it stay; they are the member's to end (decision 0049)."""
        caller = call.current().caller
        member_id, login_id = signed_in(caller)
        proven = await self._proofs.prove(member_id, login_id, given(request.proof))

        async def work(tx: Transaction) -> Empty:
            await self._proofs.use(tx, member_id, proven)
            await identities.unlink(tx, self._keyring, self._post, member_id, UUID(request.identity_id))
            return Empty()

        return await once(self._db, caller.scope, request, work)


def _begun(begun: Begun) -> federation_pb2.FederatedSignIn:
    return federation_pb2.FederatedSignIn(
        authorization_url=begun.authorization_url,
        binding=begun.binding,
        expire_time=convert.timestamp(begun.expire_time),
    )
