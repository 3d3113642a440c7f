"""The queries on accounts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, case, func, not_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Snapshot
from services.identity.models import (
    Account,
    AccountHolding,
    AccountKind,
    HoldingCause,
)

_OWN = and_(Account.kind == AccountKind.PERSONAL, not_(Account.inherited))


class Accounts:
    """The accounts of the scope's tenants, and those that the scope's member holds."""

    def __init__(self, tx: Snapshot) -> None:
        self._session = tx.session

    async def held(self, member_id: UUID, account_id: UUID) -> Account | None:
        """Answers the account if the member holds it."""
        query = select(Account).where(Account.holder_member_id == member_id, Account.id == account_id)
        return await self._session.scalar(query)

    async def personal(self, member_id: UUID) -> Account | None:
        """Answers the member's own personal account; there is one, beside those that they inherited."""
        query = select(Account).where(Account.holder_member_id == member_id, _OWN)
        return await self._session.scalar(query)

    async def held_of(self, member_id: UUID, tenant_id: UUID) -> Account | None:
        """Answers the account of the tenant that the member holds, the oldest of several."""
        query = select(Account).where(Account.holder_member_id == member_id, Account.tenant_id == tenant_id)
        return await self._session.scalar(query.order_by(Account.create_time, Account.id).limit(1))

    async def at_work(self, member_id: UUID) -> list[tuple[UUID, UUID]]:
        """Answers enterprise and id of each enterprise account that the member holds."""
        query = select(Account.tenant_id, Account.id).where(
            Account.holder_member_id == member_id, Account.kind == AccountKind.ENTERPRISE
        )
        return [(tenant_id, id_) for tenant_id, id_ in (await self._session.execute(query)).all()]

    async def list_held(
        self, member_id: UUID, after: tuple[int, datetime, UUID] | None, most: int
    ) -> Sequence[Account]:
        """Answers the accounts that the member holds, their own personal one first, then by age."""
        order = (case((_OWN, 0), else_=1), Account.create_time, Account.id)
        query: Select[Account] = select(Account).where(Account.holder_member_id == member_id)
        if after is not None:
            query = query.where(tuple_(*order) > after)
        return (await self._session.scalars(query.order_by(*order).limit(most))).all()

    async def in_tenant(self, tenant_id: UUID, account_id: UUID, *, lock: bool = False) -> Account | None:
        """Answers an account of a tenant. Who changes its holder or offers it takes the lock."""
        query = select(Account).where(Account.tenant_id == tenant_id, Account.id == account_id)
        return await self._session.scalar(query.with_for_update() if lock else query)

    async def page(
        self, tenant_id: UUID, holder: UUID | None, after: tuple[datetime, UUID] | None, most: int
    ) -> Sequence[Account]:
        """Answers the accounts of a tenant as they were opened, if wanted those of one holder alone."""
        order = (Account.create_time, Account.id)
        query = select(Account).where(Account.tenant_id == tenant_id)
        if holder is not None:
            query = query.where(Account.holder_member_id == holder)
        if after is not None:
            query = query.where(tuple_(*order) > after)
        return (await self._session.scalars(query.order_by(*order).limit(most))).all()

    async def recode(self, tenant_id: UUID, account_id: UUID, code: str) -> Account:
        """Gives an account another code; raises IntegrityError if the tenant has it already."""
        changed = (
            update(Account)
            .where(Account.tenant_id == tenant_id, Account.id == account_id)
            .values(code=code, version=Account.version + 1)
        )
        return (await self._session.scalars(changed.returning(Account))).one()

    async def add(self, values: dict[str, Any]) -> Account | None:
        """Adds an account; None if its id is open already or its code is taken in the tenant."""
        added = insert(Account).values(values).on_conflict_do_nothing().returning(Account)
        return await self._session.scalar(added)


class Holdings:
    """Who held the accounts of a tenant when."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def begin(
        self,
        account: Account,
        cause: HoldingCause,
        now: datetime,
        transfer_id: UUID | None = None,
    ) -> None:
        """Notes that the account's holder holds it from now on. Its row is new or locked: one at a time."""
        last = select(func.coalesce(func.max(AccountHolding.sequence), 0)).where(*self._of(account.id))
        values = {
            "tenant_id": self._tenant_id,
            "account_id": account.id,
            "sequence": last.scalar_subquery() + 1,
            "holder_member_id": account.holder_member_id,
            "cause": cause,
            "transfer_id": transfer_id,
            "start_time": now,
        }
        await self._session.execute(insert(AccountHolding).values(values))

    async def first(self, account_id: UUID) -> UUID | None:
        """Answers for whom the account was opened."""
        query = select(AccountHolding.holder_member_id).where(
            *self._of(account_id), AccountHolding.sequence == 1
        )
        return await self._session.scalar(query)

    async def newest(
        self, account_id: UUID, before: int | None, most: int
    ) -> Sequence[tuple[AccountHolding, datetime | None]]:
        """Answers the holdings with when each ended, the newest first."""
        end = func.lead(AccountHolding.start_time).over(order_by=AccountHolding.sequence)
        ends = select(AccountHolding.sequence, end.label("end")).where(*self._of(account_id)).subquery()
        query = (
            select(AccountHolding, ends.c.end)
            .join(ends, ends.c.sequence == AccountHolding.sequence)
            .where(*self._of(account_id))
        )
        if before is not None:
            query = query.where(AccountHolding.sequence < before)
        found = await self._session.execute(query.order_by(AccountHolding.sequence.desc()).limit(most))
        return [(row, ended) for row, ended in found]

    def _of(self, account_id: UUID) -> tuple[Any, Any]:
        return AccountHolding.tenant_id == self._tenant_id, AccountHolding.account_id == account_id
