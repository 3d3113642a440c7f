"""What the tokens of a principal may do at this moment: one query, under the principal's own scope."""

from __future__ import annotations

from typing import cast
from uuid import UUID

from chassis.database import Database, Scope
from services.identity.credentials import scope_of
from services.identity.models import PLATFORM
from services.identity.store import Principals
from wrtn.access.v1.access_pb2 import StaffRight
from wrtn.identity.v1.principals_pb2 import Principal, ResolvePrincipalRequest

_INACTIVE = Principal()


async def resolve(db: Database, request: ResolvePrincipalRequest) -> Principal:
    """Answers the principal; one that may not act, or that nobody knows, is not active."""
    if request.WhichOneof("subject") == "credential_id":
        return await _credential(db, UUID(request.credential_id))
    if request.WhichOneof("subject") == "api_key":
        return _INACTIVE
    return await _member(db, request.member)


async def _member(db: Database, asked: ResolvePrincipalRequest.MemberLogin) -> Principal:
    member_id = UUID(asked.member_id)
    login_id = UUID(asked.login_id) if asked.login_id else None
    account_id = UUID(asked.account_id) if asked.account_id else None
    async with db.snapshot(Scope.of(member_id=member_id)) as snapshot:
        found = await Principals(snapshot).member(member_id, login_id, account_id)
    if found is None:
        return _INACTIVE
    staff_right, good_login, tenant_id = found
    if (login_id is not None and good_login is None) or (account_id is not None and tenant_id is None):
        return _INACTIVE
    return Principal(
        active=True, tenant_id=str(tenant_id or ""), staff_right=cast("StaffRight.ValueType", staff_right)
    )


async def _credential(db: Database, credential_id: UUID) -> Principal:
    async with db.snapshot(scope_of(credential_id)) as snapshot:
        found = await Principals(snapshot).credential(credential_id)
    if found is None:
        return _INACTIVE
    tenant = "" if found.tenant_id == PLATFORM else str(found.tenant_id)
    return Principal(active=True, tenant_id=tenant, scopes=found.scopes)
