"""The queries on federated sign-ins and single sign-on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Snapshot
from services.identity.models import FederatedFlow, FederatedIdentity, FederatedSubject, SingleSignOn


class Flows:
    """The flows that have begun. They belong to no scope."""

    def __init__(self, tx: Snapshot) -> None:
        self._session = tx.session

    async def take(self, state_hash: bytes, binding_hash: bytes, now: datetime) -> FederatedFlow | None:
        """Takes a flow out, so that it is good once; who has not its binding cannot use it up."""
        taken = delete(FederatedFlow).where(
            FederatedFlow.state_hash == state_hash,
            FederatedFlow.binding_hash == binding_hash,
            FederatedFlow.expire_time > now,
        )
        return await self._session.scalar(taken.returning(FederatedFlow))

    async def purge(self, now: datetime) -> None:
        """Deletes what nobody completed in time."""
        await self._session.execute(delete(FederatedFlow).where(FederatedFlow.expire_time <= now))


class Identities:
    """The federated identities of the scope's member."""

    def __init__(self, tx: Snapshot) -> None:
        self._session = tx.session

    async def owner_of(self, subject_hash: bytes) -> UUID | None:
        """Answers whose an identity is. The directory belongs to no scope."""
        query = select(FederatedSubject.member_id).where(FederatedSubject.subject_hash == subject_hash)
        return await self._session.scalar(query)

    async def claim(self, subject_hash: bytes, member_id: UUID, identity_id: UUID) -> bool:
        """Enters an identity into the directory; False if somebody has it, faster by a hair or not."""
        row = {"subject_hash": subject_hash, "member_id": member_id, "identity_id": identity_id}
        entered = insert(FederatedSubject).values(row).on_conflict_do_nothing()
        return (await self._session.scalar(entered.returning(FederatedSubject.identity_id))) is not None

    async def by_subject(self, subject_hash: bytes) -> FederatedIdentity | None:
        """Answers the identity, if it is the scope's member's."""
        query = select(FederatedIdentity).join(
            FederatedSubject,
            (FederatedSubject.member_id == FederatedIdentity.member_id)
            & (FederatedSubject.identity_id == FederatedIdentity.id),
        )
        return await self._session.scalar(query.where(FederatedSubject.subject_hash == subject_hash))

    async def newest(
        self, member_id: UUID, before: tuple[datetime, UUID] | None, most: int
    ) -> Sequence[FederatedIdentity]:
        """Answers the identities, the newest first."""
        key = (FederatedIdentity.create_time, FederatedIdentity.id)
        query = select(FederatedIdentity).where(FederatedIdentity.member_id == member_id)
        if before is not None:
            query = query.where(tuple_(*key) < before)
        order = (column.desc() for column in key)
        return (await self._session.scalars(query.order_by(*order).limit(most))).all()

    async def count(self, member_id: UUID) -> int:
        """Answers how many identities the member has."""
        query = select(func.count()).select_from(FederatedIdentity)
        return await self._session.scalar(query.where(FederatedIdentity.member_id == member_id)) or 0

    async def delete(self, member_id: UUID, identity_id: UUID) -> bool:
        """Deletes an identity, in the directory too; False if the member has none such."""
        gone = delete(FederatedIdentity).where(
            FederatedIdentity.member_id == member_id, FederatedIdentity.id == identity_id
        )
        return (await self._session.scalar(gone.returning(FederatedIdentity.id))) is not None


class SingleSignOns:
    """The connection of one enterprise."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._session = tx.session
        self._tenant_id = tenant_id

    async def get(self, *, lock: bool = False) -> SingleSignOn | None:
        """Answers the connection."""
        query = select(SingleSignOn).where(SingleSignOn.tenant_id == self._tenant_id)
        return await self._session.scalar(query.with_for_update() if lock else query)

    async def put(self, values: dict[str, Any]) -> SingleSignOn:
        """Adds the connection, or puts these values in the place of those before; its id stays."""
        row = insert(SingleSignOn).values(values | {"tenant_id": self._tenant_id})
        kept = {name: row.excluded[name] for name in values if name not in ("id", "create_time")}
        put = row.on_conflict_do_update(index_elements=["tenant_id"], set_=kept).returning(SingleSignOn)
        return (await self._session.scalars(put, execution_options={"populate_existing": True})).one()

    async def delete(self) -> UUID | None:
        """Deletes the connection; answers its id, None if there was none."""
        gone = delete(SingleSignOn).where(SingleSignOn.tenant_id == self._tenant_id)
        return await self._session.scalar(gone.returning(SingleSignOn.id))
