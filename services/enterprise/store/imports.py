"""The queries on the rows of imports."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from services.enterprise.models import ImportOutcome, ImportRow
from services.enterprise.store.rows import Rows


class ImportRows(Rows):
    """What became of the rows."""

    async def keep(self, rows: Sequence[ImportRow]) -> None:
        """Keeps the outcomes, in place of earlier ones of the same rows."""
        names = [each.name for each in ImportRow.__table__.columns]
        statement = insert(ImportRow).values([{name: getattr(row, name) for name in names} for row in rows])
        replaced = ("outcome", "reason", "column_name", "message", "create_time")
        await self._session.execute(
            statement.on_conflict_do_update(
                index_elements=["tenant_id", "operation_id", "number"],
                set_={name: statement.excluded[name] for name in replaced},
            )
        )

    async def page(
        self, operation_id: UUID, after: int, size: int, *, failed: bool = False
    ) -> Sequence[ImportRow]:
        """Answers those with greater numbers; of failed ones alone if wanted."""
        wanted = select(ImportRow).where(
            ImportRow.tenant_id == self._tenant_id,
            ImportRow.operation_id == operation_id,
            ImportRow.number > after,
        )
        if failed:
            wanted = wanted.where(ImportRow.outcome == ImportOutcome.FAILED)
        return (await self._session.scalars(wanted.order_by(ImportRow.number).limit(size))).all()

    async def counts(self, operation_id: UUID) -> dict[str, int]:
        """Answers how many rows have each outcome."""
        wanted = (
            select(ImportRow.outcome, func.count())
            .where(ImportRow.tenant_id == self._tenant_id, ImportRow.operation_id == operation_id)
            .group_by(ImportRow.outcome)
        )
        return {row[0]: row[1] for row in await self._session.execute(wanted)}
