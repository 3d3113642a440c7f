"""wrtn.enterprise.v1 AccessService."""

from __future__ import annotations

from typing import Any

import grpc

from chassis.access.employment import AccessSource
from wrtn.enterprise.v1 import access_pb2
from wrtn.enterprise.v1.access_pb2_grpc import AccessServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class Access(AccessServiceServicer):
    """Says who an account is in its enterprise."""

    def __init__(self, resolve: AccessSource) -> None:
        self._resolve = resolve

    async def ResolveAccess(
        self, request: access_pb2.ResolveAccessRequest, context: Context
    ) -> access_pb2.Access:
        """Resolves the access."""
        return await self._resolve(request)
