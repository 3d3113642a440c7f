"""Whether staff may read the content of a tenant at this moment: identity says so, each time anew."""

from __future__ import annotations

from uuid import UUID

from chassis.call import Caller, rests_on_staff
from chassis.rpc.client import Peers
from wrtn.access.v1.access_pb2 import STAFF_RIGHT_ADMINISTRATOR
from wrtn.identity.v1.break_glass_pb2 import CheckBreakGlassRequest
from wrtn.identity.v1.break_glass_pb2_grpc import BreakGlassServiceStub


class BreakGlass:
    """Asks identity. The answer is never kept: what is closed is closed at once."""

    def __init__(self, peers: Peers) -> None:
        self._identity = peers.stub(BreakGlassServiceStub, "identity")

    async def open_to(self, caller: Caller, tenant_id: UUID) -> UUID | None:
        """Answers the use by which the caller may read there; AioRpcError if identity is away."""
        if caller.staff < STAFF_RIGHT_ADMINISTRATOR or caller.login_id is None:
            return None
        request = CheckBreakGlassRequest(
            member_id=str(caller.member_id), login_id=str(caller.login_id), tenant_id=str(tenant_id)
        )
        found = await self._identity.CheckBreakGlass(request)
        if not found.break_glass_id:
            return None
        rests_on_staff()
        return UUID(found.break_glass_id)
