"""The queries on sign-in policies."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Snapshot
from services.identity.models import SignInPolicy


class SignInPolicies:
    """The policies of the scope's tenants, and of those in which its member holds an account."""

    def __init__(self, tx: Snapshot) -> None:
        self._session = tx.session

    async def get(self, tenant_id: UUID) -> SignInPolicy | None:
        """Answers a tenant's policy."""
        return await self._session.scalar(select(SignInPolicy).where(SignInPolicy.tenant_id == tenant_id))

    async def lock(self, tenant_id: UUID, now: datetime) -> SignInPolicy:
        """Answers a tenant's policy, locked; one that asks for nothing is put where there is none."""
        nothing: dict[str, Any] = {
            "tenant_id": tenant_id,
            "second_factor_required": False,
            "single_sign_on_required": False,
            "allowed_ranges": [],
            "session_hours": 0,
            "version": 0,
            "update_time": now,
        }
        await self._session.execute(insert(SignInPolicy).values(nothing).on_conflict_do_nothing())
        query = select(SignInPolicy).where(SignInPolicy.tenant_id == tenant_id).with_for_update()
        return (await self._session.scalars(query)).one()
