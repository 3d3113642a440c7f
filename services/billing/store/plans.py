"""The queries on plans; they are of no tenant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Snapshot, Transaction
from services.billing.models import Plan, PlanVersion
from wrtn.billing.v1.plans_pb2 import PlanTerms


class Versioned(NamedTuple):
    """A plan in one of its versions."""

    plan: Plan
    version: PlanVersion

    @property
    def terms(self) -> PlanTerms:
        """What the version says."""
        return PlanTerms.FromString(self.version.terms)


class Plans:
    """The plans."""

    def __init__(self, tx: Snapshot) -> None:
        self._session = tx.session

    async def get(self, plan_id: UUID, version: int = 0) -> Versioned | None:
        """Answers the plan in this version, or the newest if 0."""
        wanted = PlanVersion.version == (version or Plan.version)
        query = select(Plan, PlanVersion).join(PlanVersion, PlanVersion.plan_id == Plan.id)
        row = (await self._session.execute(query.where(Plan.id == plan_id, wanted))).one_or_none()
        return Versioned._make(row) if row is not None else None

    async def lock(self, plan_id: UUID) -> Plan | None:
        """Answers the plan, which nobody else changes until the commit."""
        return await self._session.get(Plan, plan_id, with_for_update=True, populate_existing=True)

    async def page(self, after: str, size: int, *, archived: bool) -> Sequence[Versioned]:
        """Answers plans in their newest version by key."""
        query = select(Plan, PlanVersion).join(
            PlanVersion, (PlanVersion.plan_id == Plan.id) & (PlanVersion.version == Plan.version)
        )
        if not archived:
            query = query.where(Plan.archive_time.is_(None))
        rows = await self._session.execute(query.where(Plan.key > after).order_by(Plan.key).limit(size))
        return [Versioned._make(row) for row in rows]

    async def versions(self, keys: Iterable[tuple[UUID, int]]) -> dict[tuple[UUID, int], PlanTerms]:
        """Answers what these versions say."""
        column = PlanVersion
        query = select(column).where(tuple_(column.plan_id, column.version).in_(list(keys)))
        rows = await self._session.scalars(query)
        return {(row.plan_id, row.version): PlanTerms.FromString(row.terms) for row in rows}


async def insert_plan(tx: Transaction, plan_id: UUID, key: str, terms: PlanTerms) -> bool:
    """Adds a plan with its first version; False if there is one with this id or key."""
    row = insert(Plan).values(id=plan_id, key=key, version=1, archive_time=None)
    added = await tx.session.scalar(row.on_conflict_do_nothing().returning(Plan.id))
    if added is not None:
        add_version(tx, plan_id, 1, terms)
        await tx.session.flush()
    return added is not None


def add_version(tx: Transaction, plan_id: UUID, version: int, terms: PlanTerms) -> None:
    """Adds a version to a plan."""
    kept = terms.SerializeToString(deterministic=True)
    tx.session.add(PlanVersion(plan_id=plan_id, version=version, terms=kept, create_time=tx.now))
