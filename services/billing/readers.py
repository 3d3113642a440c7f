"""Who sees the money of a tenant, and of which time: whoever pays for it, as enterprise and billing know it
at this moment; who held the personal account before, of their own time; administrators, on record.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from chassis.access.employment import AccessCache
from chassis.access.principals import Principals
from chassis.auth.tokens import AccessToken
from chassis.call import Caller, current, rests_on_staff
from chassis.database import Scope, Snapshot
from chassis.service import Runtime
from chassis.settings import ServiceSettings
from services.billing.payments.payers import pays
from services.billing.periods import BEGINNING, Span
from services.billing.store.organisation import tenures
from wrtn.access.v1.access_pb2 import STAFF_RIGHT_ADMINISTRATOR


@dataclass(frozen=True, slots=True)
class Reader:
    """A caller, and what they may see of a tenant's money."""

    tenant_id: UUID
    member_id: UUID | None
    whole: bool
    """Whether they see all of it, whoever held the account."""
    acting: bool = False
    """Whether they act by the account that is the tenant."""
    staff: bool = False
    """Whether they see it as an administrator of the platform."""

    async def times(self, snapshot: Snapshot) -> list[Span]:
        """Answers the times of which they see, the oldest first; none if they see nothing."""
        if self.whole:
            return [Span(BEGINNING, None)]
        if self.member_id is None:
            return []
        held = await tenures(snapshot, self.tenant_id, self.member_id)
        # Who does not act by it has given it away, even where that has not been told yet.
        return held if self.acting else [each for each in held if each.end is not None]

    async def sees_now(self, snapshot: Snapshot) -> bool:
        """Whether they see what is so now."""
        times = await self.times(snapshot)
        return bool(times) and times[-1].end is None


@asynccontextmanager
async def reading(
    runtime: Runtime[ServiceSettings], tenant_id: UUID, action: str
) -> AsyncIterator[tuple[Snapshot, Reader]]:
    """Opens a tenant's rows to the caller, to read what they may; what staff read is audited as `action`."""
    reader = await reader_of(runtime, current().caller, tenant_id)
    if not reader.staff:
        async with runtime.db.snapshot(Scope.of(tenant_id)) as snapshot:
            yield snapshot, reader
        return
    async with runtime.db.transaction(Scope.of(tenant_id)) as tx:
        tx.audit(action, tenant_id=tenant_id, target_id=tenant_id)
        yield tx, reader


async def reader_of(runtime: Runtime[ServiceSettings], caller: Caller, tenant_id: UUID) -> Reader:
    """Judges a caller by what enterprise and identity say now; administrators see the money of all."""
    acting = caller.account_id == tenant_id == caller.tenant_id
    if acting or await _pays_for_enterprise(runtime.access, caller, tenant_id):
        return Reader(tenant_id, caller.member_id, whole=not acting, acting=acting)
    staff = await _administers(runtime.principals, caller)
    return Reader(tenant_id, caller.member_id, whole=staff, staff=staff)


async def _pays_for_enterprise(access: AccessCache, caller: Caller, tenant_id: UUID) -> bool:
    if caller.account_id is None or caller.tenant_id != tenant_id:
        return False
    found = await access.resolve(tenant_id, caller.account_id, member_id=caller.member_id, fresh=True)
    return found is not None and pays(found)


async def _administers(principals: Principals, caller: Caller) -> bool:
    if caller.staff < STAFF_RIGHT_ADMINISTRATOR:
        return False
    token = AccessToken(caller.member_id, caller.login_id, caller.account_id)
    found = await principals.resolve(token, fresh=True)
    if found is None or found.staff < STAFF_RIGHT_ADMINISTRATOR:
        return False
    rests_on_staff()
    return True
