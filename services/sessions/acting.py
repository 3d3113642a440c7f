"""Whose account acts."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from chassis.call import Caller
from services.sessions.errors import NotEmployed


@dataclass(frozen=True, slots=True)
class Acting:
    """The account that acts, as the access token names it."""

    tenant_id: UUID
    account_id: UUID
    member_id: UUID
    login_id: UUID

    @classmethod
    def of(cls, caller: Caller) -> Acting:
        """Reads the caller; raises NotEmployed for a member without an account."""
        ids = (caller.tenant_id, caller.account_id, caller.member_id, caller.login_id)
        tenant_id, account_id, member_id, login_id = ids
        if tenant_id is None or account_id is None or member_id is None or login_id is None:
            raise NotEmployed
        return cls(tenant_id, account_id, member_id, login_id)
