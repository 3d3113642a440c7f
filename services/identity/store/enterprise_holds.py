"""The queries on enterprises that are suspended or closed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, SQLColumnExpression, exists
from sqlalchemy.dialects.postgresql import insert

from chassis.database import Transaction
from services.identity.models import EnterpriseHold


@dataclass(frozen=True, slots=True)
class Standing:
    """What an enterprise became with this version of it."""

    tenant_id: UUID
    held: bool
    version: int


async def keep_standings(tx: Transaction, standings: Sequence[Standing]) -> list[Standing]:
    """Keeps what is newer than what is known; answers that. There is one at most of each enterprise."""
    values = [{"tenant_id": each.tenant_id, "held": each.held, "version": each.version} for each in standings]
    offered = insert(EnterpriseHold).values(values)
    newer = offered.on_conflict_do_update(
        index_elements=[EnterpriseHold.tenant_id],
        set_={"held": offered.excluded.held, "version": offered.excluded.version},
        where=EnterpriseHold.version < offered.excluded.version,
    )
    kept = newer.returning(EnterpriseHold.tenant_id, EnterpriseHold.held, EnterpriseHold.version)
    return [Standing(*row) for row in await tx.session.execute(kept)]


def stands(tenant_id: SQLColumnExpression[UUID]) -> ColumnElement[bool]:
    """Answers the condition that the tenant is no enterprise that is suspended or closed."""
    return ~exists().where(EnterpriseHold.tenant_id == tenant_id, EnterpriseHold.held)
