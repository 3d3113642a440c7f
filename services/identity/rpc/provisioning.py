"""wrtn.identity.v1 ProvisioningService."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc

from chassis.clock import Clock
from chassis.crypto import Keyring
from chassis.database import Database
from services.identity.members import provisioning
from wrtn.identity.v1.provisioning_pb2 import ProvisionMemberRequest, ProvisionMemberResponse
from wrtn.identity.v1.provisioning_pb2_grpc import ProvisioningServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]


class ProvisioningRpc(ProvisioningServiceServicer):
    """wrtn.identity.v1 ProvisioningService."""

    def __init__(self, clock: Clock, db: Database, keyring: Keyring) -> None:
        self._clock = clock
        self._db = db
        self._keyring = keyring

    async def ProvisionMember(
        self, request: ProvisionMemberRequest, context: Context
    ) -> ProvisionMemberResponse:
        """Finds or makes the member."""
        enterprise_id = UUID(request.enterprise_id)
        member_id, created = await provisioning.provision(
            self._db, self._keyring, self._clock, enterprise_id, request.email, request.display_name
        )
        return ProvisionMemberResponse(member_id=str(member_id), created=created)
