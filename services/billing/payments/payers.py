"""Who pays: the holder for a personal account, owners and managers with the duty for an enterprise."""

from __future__ import annotations

from uuid import UUID

from chassis.call import Access, current
from chassis.database import Scope
from chassis.service import Runtime
from chassis.settings import ServiceSettings
from services.billing.errors import PayerNotFound, PayingNotYours
from services.billing.store.dunnings import Dunnings
from services.billing.store.recipients import Recipients
from wrtn.access.v1.access_pb2 import DUTY_BILLING, TITLE_MANAGER, TITLE_OWNER


async def require_payer(runtime: Runtime[ServiceSettings], tenant_id: UUID) -> None:
    """Raises PayerNotFound to strangers, PayingNotYours to employees who do not pay.

    What the caller is, is asked for at this moment: it is about money. In an enterprise that is suspended
    nobody is anything; where it has not paid, those may pay who did so before (decision 0137).
    """
    caller = current().caller
    if caller.tenant_id != tenant_id or caller.account_id is None:
        raise _not_found()
    if caller.account_id == tenant_id:
        return
    found = await runtime.access.resolve(tenant_id, caller.account_id, member_id=caller.member_id, fresh=True)
    if found is None:
        if caller.member_id is None or not await _paid_before(runtime, tenant_id, caller.member_id):
            raise _not_found()
        return
    if not pays(found):
        raise PayingNotYours("Owners pay, and managers with the duty of billing: ask one of them.")


def pays(access: Access) -> bool:
    """Whether somebody pays for their enterprise."""
    return access.title >= TITLE_OWNER or (access.title >= TITLE_MANAGER and DUTY_BILLING in access.duties)


async def _paid_before(runtime: Runtime[ServiceSettings], tenant_id: UUID, member_id: UUID) -> bool:
    """Whether the tenant is overdue, and the member pays for it as far as events have told."""
    async with runtime.db.snapshot(Scope.of(tenant_id)) as snapshot:
        if await Dunnings(snapshot, tenant_id).overdue() is None:
            return False
        return await Recipients(snapshot, tenant_id).pays(member_id)


def _not_found() -> PayerNotFound:
    return PayerNotFound("There is nobody to pay for.", field="tenant_id")
