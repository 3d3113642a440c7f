"""The queries on accounts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, case, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Snapshot
from services.identity.models import (
    Account,
    AccountKind,
)


class Accounts:
    """The accounts of the scope's tenants, and those that the scope's member holds."""

    def __init__(self, tx: Snapshot) -> None:
        self._session = tx.session

    async def held(self, member_id: UUID, account_id: UUID) -> Account | None:
        """Answers the account if the member holds it."""
        query = select(Account).where(Account.holder_member_id == member_id, Account.id == account_id)
        return await self._session.scalar(query)

    async def personal(self, member_id: UUID) -> Account | None:
        """Answers the member's own account."""
        query = select(Account).where(
            Account.holder_member_id == member_id, Account.kind == AccountKind.PERSONAL
        )
        return await self._session.scalar(query)

    async def list_held(
        self, member_id: UUID, after: tuple[int, datetime, UUID] | None, most: int
    ) -> Sequence[Account]:
        """Answers the accounts that the member holds, the personal one first, then as they were opened."""
        order = (case((Account.kind == AccountKind.PERSONAL, 0), else_=1), Account.create_time, Account.id)
        query: Select[Account] = select(Account).where(Account.holder_member_id == member_id)
        if after is not None:
            query = query.where(tuple_(*order) > after)
        return (await self._session.scalars(query.order_by(*order).limit(most))).all()

    async def in_tenant(self, tenant_id: UUID, account_id: UUID) -> Account | None:
        """Answers an account of a tenant."""
        query = select(Account).where(Account.tenant_id == tenant_id, Account.id == account_id)
        return await self._session.scalar(query)

    async def add(self, values: dict[str, Any]) -> Account | None:
        """Adds an account; None if its id is open already or its code is taken in the tenant."""
        added = insert(Account).values(values).on_conflict_do_nothing().returning(Account)
        return await self._session.scalar(added)
