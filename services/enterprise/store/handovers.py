"""The queries on handovers, and on who holds which account."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Snapshot
from services.enterprise.models import AccountHolder, Employee, Handover, HandoverState
from services.enterprise.store.rows import Rows


class Handovers(Rows):
    """The handovers of the enterprise, and the accounts that have changed hands."""

    async def accounts_of(self, employee: Employee) -> set[UUID]:
        """Answers the accounts that the employee holds: their own, and those that came to them."""
        of_enterprise = AccountHolder.tenant_id == self._tenant_id
        holder = await self._session.scalar(
            select(AccountHolder.member_id).where(
                of_enterprise, AccountHolder.account_id == employee.account_id
            )
        )
        came = select(AccountHolder.account_id).where(
            of_enterprise, AccountHolder.member_id == employee.member_id
        )
        held = set(await self._session.scalars(came))
        return held | {employee.account_id} if holder in (None, employee.member_id) else held

    async def hold(self, account_id: UUID, member_id: UUID, version: int) -> None:
        """Notes who holds the account from this version of it on, unless something newer is known."""
        statement = insert(AccountHolder).values(
            tenant_id=self._tenant_id, account_id=account_id, member_id=member_id, version=version
        )
        new = statement.excluded
        await self._session.execute(
            statement.on_conflict_do_update(
                index_elements=["tenant_id", "account_id"],
                set_={"member_id": new.member_id, "version": new.version},
                where=AccountHolder.version < new.version,
            )
        )

    async def hold_now(self, account_id: UUID, member_id: UUID) -> None:
        """Notes who holds the account at this moment; identity's event tells the version later."""
        statement = insert(AccountHolder).values(
            tenant_id=self._tenant_id, account_id=account_id, member_id=member_id, version=0
        )
        await self._session.execute(
            statement.on_conflict_do_update(
                index_elements=["tenant_id", "account_id"], set_={"member_id": statement.excluded.member_id}
            )
        )

    async def page(self, employee_id: UUID, before: UUID | None, size: int) -> Sequence[Handover]:
        """Answers those of the employee with smaller ids, the newest first."""
        wanted = select(Handover).where(
            Handover.tenant_id == self._tenant_id, Handover.employee_id == employee_id
        )
        if before is not None:
            wanted = wanted.where(Handover.id < before)
        return (await self._session.scalars(wanted.order_by(Handover.id.desc()).limit(size))).all()

    async def pending(self, employee_id: UUID | None = None) -> Sequence[Handover]:
        """Answers the pending ones, of one employee if named."""
        wanted = select(Handover).where(
            Handover.tenant_id == self._tenant_id, Handover.state == HandoverState.PENDING
        )
        if employee_id is not None:
            wanted = wanted.where(Handover.employee_id == employee_id)
        return (await self._session.scalars(wanted.order_by(Handover.id))).all()

    async def settle(self, handover_id: UUID, state: HandoverState) -> bool:
        """Ends a pending handover; answers False if it ended before."""
        statement = (
            update(Handover)
            .where(
                Handover.tenant_id == self._tenant_id,
                Handover.id == handover_id,
                Handover.state == HandoverState.PENDING,
            )
            .values(state=state, update_time=self._tx.now)
        )
        return await self._session.scalar(statement.returning(Handover.id)) is not None

    async def refuse_to(self, successor_id: UUID) -> None:
        """Ends what is pending towards the employee as refused."""
        await self._session.execute(
            update(Handover)
            .where(
                Handover.tenant_id == self._tenant_id,
                Handover.successor_employee_id == successor_id,
                Handover.state == HandoverState.PENDING,
            )
            .values(state=HandoverState.REFUSED, update_time=self._tx.now)
        )


async def tenants_handing_over(tx: Snapshot) -> Sequence[UUID]:
    """Answers the enterprises with pending handovers. For the worker role, which sees no more of them."""
    wanted = select(Handover.tenant_id).where(Handover.state == HandoverState.PENDING).distinct()
    return (await tx.session.scalars(wanted)).all()
