"""Where rights come from: by default from identity and enterprise, as peers. No answer means no."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

import grpc

from chassis.access.employment import AccessSource
from chassis.access.principals import PrincipalSource
from chassis.auth.tokens import JwksSource
from chassis.errors import Unavailable
from chassis.rpc.client import Peers
from wrtn.enterprise.v1.access_pb2 import Access, ResolveAccessRequest
from wrtn.enterprise.v1.access_pb2_grpc import AccessServiceStub
from wrtn.identity.v1.auth_pb2 import GetJwksRequest, Jwks
from wrtn.identity.v1.auth_pb2_grpc import AuthServiceStub
from wrtn.identity.v1.principals_pb2 import Principal, ResolvePrincipalRequest
from wrtn.identity.v1.principals_pb2_grpc import PrincipalServiceStub

_PATIENCE = 2.0
"""Seconds that rights may take to resolve; kept answers count from the beginning of the question."""

T = TypeVar("T")


class RightsUnavailable(Unavailable):
    """The service that knows the caller's rights did not answer."""

    reason = "RIGHTS_UNAVAILABLE"


class Sources:
    """The three questions that the chassis asks about callers. A service that knows an answer replaces it."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self.principals: PrincipalSource = self._ask_principal
        self.access: AccessSource = self._ask_access
        self.jwks: JwksSource = self._ask_jwks

    async def principal_of(self, request: ResolvePrincipalRequest) -> Principal:
        """Asks the source in force."""
        return await self.principals(request)

    async def access_of(self, request: ResolveAccessRequest) -> Access:
        """Asks the source in force."""
        return await self.access(request)

    async def keys(self) -> Jwks:
        """Asks the source in force."""
        return await self.jwks()

    async def _ask_principal(self, request: ResolvePrincipalRequest) -> Principal:
        stub = self._peers.stub(PrincipalServiceStub, "identity")
        return await _answered(stub.ResolvePrincipal(request, timeout=_PATIENCE))

    async def _ask_access(self, request: ResolveAccessRequest) -> Access:
        stub = self._peers.stub(AccessServiceStub, "enterprise")
        return await _answered(stub.ResolveAccess(request, timeout=_PATIENCE))

    async def _ask_jwks(self) -> Jwks:
        stub = self._peers.stub(AuthServiceStub, "identity")
        return await _answered(stub.GetJwks(GetJwksRequest(), timeout=_PATIENCE))


async def _answered(call: Awaitable[T]) -> T:
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise RightsUnavailable(
            "The caller's rights cannot be resolved at the moment.", retry_after=1
        ) from error
