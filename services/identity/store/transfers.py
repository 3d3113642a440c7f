"""The queries on transfers of accounts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Snapshot
from services.identity.models import (
    Account,
    AccountTransfer,
    TransferState,
)


class Transfers:
    """The transfers of the scope's tenants, and those to the scope's member."""

    def __init__(self, tx: Snapshot) -> None:
        self._session = tx.session

    async def add(self, values: dict[str, Any]) -> AccountTransfer | None:
        """Adds a transfer; None if its id is known, or the account has a pending one and this is another."""
        added = insert(AccountTransfer).values(values).on_conflict_do_nothing().returning(AccountTransfer)
        return await self._session.scalar(added)

    async def get(self, transfer_id: UUID, *, account_id: UUID | None = None) -> AccountTransfer | None:
        """Answers a transfer, if wanted of this account alone."""
        query = select(AccountTransfer).where(AccountTransfer.id == transfer_id)
        if account_id is not None:
            query = query.where(AccountTransfer.account_id == account_id)
        return await self._session.scalar(query)

    async def received(self, transfer_id: UUID, receiver_member_id: UUID) -> AccountTransfer | None:
        """Answers a transfer to this member."""
        query = select(AccountTransfer).where(
            AccountTransfer.id == transfer_id, AccountTransfer.receiver_member_id == receiver_member_id
        )
        return await self._session.scalar(query)

    async def newest_received(
        self, receiver_member_id: UUID, before: tuple[datetime, UUID] | None, most: int
    ) -> Sequence[AccountTransfer]:
        """Answers the transfers to this member, the newest first."""
        query = select(AccountTransfer).where(AccountTransfer.receiver_member_id == receiver_member_id)
        return await self._newest(query, before, most)

    async def newest_of(
        self, tenant_id: UUID, account_id: UUID, before: tuple[datetime, UUID] | None, most: int
    ) -> Sequence[AccountTransfer]:
        """Answers the transfers of an account, the newest first."""
        query = select(AccountTransfer).where(
            AccountTransfer.tenant_id == tenant_id, AccountTransfer.account_id == account_id
        )
        return await self._newest(query, before, most)

    async def end(
        self, transfer: AccountTransfer, state: TransferState, now: datetime
    ) -> AccountTransfer | None:
        """Ends a pending offer that has not expired; None if it is neither."""
        ended = (
            update(AccountTransfer)
            .where(
                AccountTransfer.tenant_id == transfer.tenant_id,
                AccountTransfer.id == transfer.id,
                AccountTransfer.state == TransferState.PENDING,
                AccountTransfer.expire_time > now,
            )
            .values(state=state, end_time=now, version=AccountTransfer.version + 1)
            .returning(AccountTransfer)
            .execution_options(populate_existing=True)
        )
        return await self._session.scalar(ended)

    async def expire(self, account: Account, now: datetime) -> None:
        """Ends the account's offer if its time is over."""
        await self._session.execute(
            update(AccountTransfer)
            .where(*self._pending(account), AccountTransfer.expire_time <= now)
            .values(
                state=TransferState.EXPIRED,
                end_time=AccountTransfer.expire_time,
                version=AccountTransfer.version + 1,
            )
        )

    async def withdraw(self, account: Account, now: datetime) -> AccountTransfer | None:
        """Takes the account's offer back, if there is one."""
        ended = (
            update(AccountTransfer)
            .where(*self._pending(account))
            .values(state=TransferState.CANCELLED, end_time=now, version=AccountTransfer.version + 1)
            .returning(AccountTransfer)
        )
        return await self._session.scalar(ended)

    def _pending(self, account: Account) -> tuple[Any, ...]:
        return (
            AccountTransfer.tenant_id == account.tenant_id,
            AccountTransfer.account_id == account.id,
            AccountTransfer.state == TransferState.PENDING,
        )

    async def _newest(
        self, query: Select[AccountTransfer], before: tuple[datetime, UUID] | None, most: int
    ) -> Sequence[AccountTransfer]:
        key = (AccountTransfer.create_time, AccountTransfer.id)
        if before is not None:
            query = query.where(tuple_(*key) < before)
        order = (column.desc() for column in key)
        return (await self._session.scalars(query.order_by(*order).limit(most))).all()
