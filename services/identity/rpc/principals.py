"""wrtn.identity.v1 PrincipalService."""

from __future__ import annotations

from typing import Any

import grpc

from chassis.database import Database
from services.identity.credentials import principals
from services.identity.credentials.uses import LastUses
from wrtn.identity.v1.principals_pb2 import Principal, ResolvePrincipalRequest
from wrtn.identity.v1.principals_pb2_grpc import PrincipalServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class PrincipalRpc(PrincipalServiceServicer):
    """wrtn.identity.v1 PrincipalService."""

    def __init__(self, db: Database, uses: LastUses) -> None:
        self._db = db
        self._uses = uses

    async def ResolvePrincipal(self, request: ResolvePrincipalRequest, context: Context) -> Principal:
        """Never an error for a principal that may not act."""
        return await principals.resolve(self._db, self._uses, request)
