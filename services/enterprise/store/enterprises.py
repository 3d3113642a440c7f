"""The queries on enterprises."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Snapshot
from services.enterprise.models import (
    Employee,
    Enterprise,
    EnterpriseStateChange,
    Logo,
    PaymentStanding,
    Slug,
)
from services.enterprise.store.rows import Rows


class Enterprises(Rows):
    """The enterprise itself, and its slug."""

    async def take_slug(self, slug: str) -> bool:
        """Takes the slug in the whole suite; answers False if it is another's, or about to be."""
        statement = insert(Slug).values(slug=slug, tenant_id=self._tenant_id)
        taken = statement.on_conflict_do_nothing(index_elements=["slug"]).returning(Slug.tenant_id)
        return await self._session.scalar(taken) is not None

    async def slugs(self) -> set[str]:
        """Answers the slugs that the enterprise has or had."""
        wanted = select(Slug.slug).where(Slug.tenant_id == self._tenant_id)
        return set(await self._session.scalars(wanted))

    async def logo(self) -> Logo | None:
        """Answers the logo."""
        return await self._session.get(Logo, self._tenant_id)

    async def set_logo(self, content_type: str, image: bytes) -> None:
        """Sets the logo."""
        values = {"content_type": content_type, "image": image}
        statement = insert(Logo).values(tenant_id=self._tenant_id, **values)
        await self._session.execute(
            statement.on_conflict_do_update(index_elements=["tenant_id"], set_=values)
        )

    async def remove_logo(self) -> None:
        """Takes the logo away."""
        await self._session.execute(delete(Logo).where(Logo.tenant_id == self._tenant_id))

    async def get(self) -> Enterprise | None:
        """Answers the enterprise."""
        return await self._session.get(Enterprise, self._tenant_id)

    async def lock(self) -> Enterprise | None:
        """Answers the enterprise, and makes every other appointment in it wait for this transaction.

        So the sequence has no gap, and rights read afterwards are those after all earlier appointments.
        """
        return await self._session.get(Enterprise, self._tenant_id, with_for_update={"key_share": True})


class StateChanges(Rows):
    """The record of the enterprise's states."""

    async def note_standing(self, overdue: bool, version: int) -> bool:
        """Notes what billing told of the enterprise; False if something newer was told."""
        values = {"overdue": overdue, "version": version}
        statement = (
            insert(PaymentStanding)
            .values(tenant_id=self._tenant_id, **values)
            .on_conflict_do_update(
                index_elements=["tenant_id"], set_=values, where=PaymentStanding.version < version
            )
            .returning(PaymentStanding.tenant_id)
        )
        return await self._session.scalar(statement) is not None

    async def page(self, before: tuple[datetime, UUID] | None, size: int) -> Sequence[EnterpriseStateChange]:
        """Answers the entries, the newest first."""
        key = (EnterpriseStateChange.create_time, EnterpriseStateChange.id)
        wanted = select(EnterpriseStateChange).where(EnterpriseStateChange.tenant_id == self._tenant_id)
        if before is not None:
            wanted = wanted.where(tuple_(*key) < before)
        order = (column.desc() for column in key)
        return (await self._session.scalars(wanted.order_by(*order).limit(size))).all()


async def employers(tx: Snapshot, member_id: UUID, after: UUID | None, size: int) -> Sequence[UUID]:
    """Answers the enterprises that employ the member, in the order of their ids.

    Needs a scope of that member: the second policy of row level security shows their own rows in any tenant.
    """
    wanted = select(Employee.tenant_id).where(Employee.member_id == member_id, Employee.title > 0)
    if after is not None:
        wanted = wanted.where(Employee.tenant_id > after)
    return (await tx.session.scalars(wanted.order_by(Employee.tenant_id).limit(size))).all()


async def enterprises(tx: Snapshot, tenant_ids: Sequence[UUID]) -> Sequence[Enterprise]:
    """Answers these enterprises in the order of their ids. Needs a scope of all of them."""
    wanted = select(Enterprise).where(Enterprise.tenant_id.in_(tenant_ids)).order_by(Enterprise.tenant_id)
    return (await tx.session.scalars(wanted)).all()


async def newest_enterprises(
    tx: Snapshot, slug: str, state: int, before: tuple[datetime, UUID] | None, size: int
) -> Sequence[Enterprise]:
    """Answers the enterprises of the suite, the newest first; of a slug or a state alone if it is given.

    Needs a scope of the platform: row level security shows it every enterprise, and nothing else of them.
    """
    key = (Enterprise.create_time, Enterprise.tenant_id)
    wanted = select(Enterprise)
    if slug:
        wanted = wanted.where(Enterprise.slug == slug)
    if state:
        wanted = wanted.where(Enterprise.state == state)
    if before is not None:
        wanted = wanted.where(tuple_(*key) < before)
    order = (column.desc() for column in key)
    return (await tx.session.scalars(wanted.order_by(*order).limit(size))).all()
