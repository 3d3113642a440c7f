"""Who pays: the holder for a personal account, owners and managers with the duty for an enterprise."""

from __future__ import annotations

from uuid import UUID

from chassis.access.employment import AccessCache
from chassis.call import Access, Caller
from services.billing.errors import PayerNotFound, PayingNotYours
from wrtn.access.v1.access_pb2 import DUTY_BILLING, TITLE_MANAGER, TITLE_OWNER


async def require_payer(access: AccessCache, caller: Caller, tenant_id: UUID) -> None:
    """Raises PayerNotFound to strangers, PayingNotYours to employees who do not pay.

    What they are is asked for at this moment: it is about money.
    """
    if caller.tenant_id != tenant_id or caller.account_id is None:
        raise _not_found()
    if caller.account_id == tenant_id:
        return
    found = await access.resolve(tenant_id, caller.account_id, member_id=caller.member_id, fresh=True)
    if found is None:
        raise _not_found()
    if not pays(found):
        raise PayingNotYours("Owners pay, and managers with the duty of billing: ask one of them.")


def pays(access: Access) -> bool:
    """Whether somebody pays for their enterprise."""
    return access.title >= TITLE_OWNER or (access.title >= TITLE_MANAGER and DUTY_BILLING in access.duties)


def _not_found() -> PayerNotFound:
    return PayerNotFound("There is nobody to pay for.", field="tenant_id")
