"""wrtn.identity.v1 PrincipalService."""

from __future__ import annotations

from typing import Any

import grpc

from services.identity.credentials.principals import Resolver
from wrtn.identity.v1.principals_pb2 import Principal, ResolvePrincipalRequest
from wrtn.identity.v1.principals_pb2_grpc import PrincipalServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class PrincipalRpc(PrincipalServiceServicer):
    """wrtn.identity.v1 PrincipalService."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def ResolvePrincipal(self, request: ResolvePrincipalRequest, context: Context) -> Principal:
        """Never an error for a principal that may not act."""
        return await self._resolver.resolve(request)
