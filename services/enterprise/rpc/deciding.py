"""How every RPC is served by which a member decides about others, or about a team."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from google.protobuf.message import Message

from chassis.call import current
from chassis.crypto import Keyring
from chassis.database import Scope, Transaction
from chassis.idempotency import once
from chassis.service import Runtime
from services.enterprise.identity import Identity
from services.enterprise.rpc.asking import sure
from services.enterprise.settings import EnterpriseSettings

Q = TypeVar("Q", bound=Message)
R = TypeVar("R", bound=Message)
UseCase = Callable[[Transaction, Keyring, UUID, Q], Awaitable[R]]
"""Takes the transaction, the keyring, the member who decides, and the request."""


class Deciding:
    """Runs the use cases of decisions."""

    def __init__(self, runtime: Runtime[EnterpriseSettings], identity: Identity) -> None:
        self._runtime = runtime
        self._identity = identity

    async def decide(self, enterprise_id: str, request: Q, use_case: UseCase[Q, R]) -> R:
        """Makes sure that the caller may act at this moment, decides once, and forgets what was known.

        The event has every process forget it, a moment later.
        """
        return await self._decide(enterprise_id, request, use_case, current().caller.scope)

    async def decide_for(
        self, enterprise_id: str, request: Q, use_case: UseCase[Q, R], *, staff: int = 0
    ) -> R:
        """Decides about an enterprise that is not the acting account's: as staff, or owner of a closed one.

        Raises NotAdmitted unless the caller holds the right of staff at this moment.
        """
        return await self._decide(enterprise_id, request, use_case, Scope.of(UUID(enterprise_id)), staff)

    async def _decide(
        self, enterprise_id: str, request: Q, use_case: UseCase[Q, R], scope: Scope, staff: int = 0
    ) -> R:
        runtime, caller = self._runtime, current().caller
        await self._identity.require_acting(caller, staff=staff)
        member_id = sure(caller.member_id)
        answer = await once(
            runtime.db, scope, request, lambda tx: use_case(tx, runtime.keyring, member_id, request)
        )
        runtime.access.drop([UUID(enterprise_id)])
        return answer
