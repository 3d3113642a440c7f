"""What the stores share."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.database import Snapshot
from services.enterprise.store import tree


class Rows:
    """What the stores share: a transaction, and the tenant whose rows alone they touch."""

    def __init__(self, tx: Snapshot, tenant_id: UUID) -> None:
        self._tx = tx
        self._tenant_id = tenant_id

    @property
    def _session(self) -> AsyncSession:
        return self._tx.session

    def _walk_from(self, team_ids: Sequence[UUID]) -> dict[str, object]:
        """Answers the parameters of a walk up the tree from these teams."""
        return walk_from(self._tenant_id, team_ids)


def walk_from(tenant_id: UUID, team_ids: Sequence[UUID]) -> dict[str, object]:
    """Answers the parameters of a walk up the tree from these teams."""
    return {"tenant": tenant_id, "teams": list(team_ids), "deep": tree.MOST_DEEP}
