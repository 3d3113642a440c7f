"""The queries of the catalogue."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Select, or_, select, tuple_
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Row

from chassis.database import Snapshot
from services.sessions.models import Procedure, ProcedureState, ProcedureVersion

# An insert-only table gives SQLAlchemy's session nothing to follow: rows are read as they are.
VersionRow = Row[Any]


class Procedures:
    """The procedures of some owners: of the platform, of an enterprise, or of both."""

    def __init__(self, tx: Snapshot, owners: Collection[UUID]) -> None:
        self._session = tx.session
        self._owners = owners

    async def add(self, **values: Any) -> Procedure | None:
        """Inserts a procedure; None if its owner has another one of this code."""
        statement = upsert(Procedure).values(**values)
        statement = statement.on_conflict_do_nothing(constraint="wrtn_procedures_code_key")
        return (await self._session.scalars(statement.returning(Procedure))).one_or_none()

    async def add_version(self, **values: Any) -> None:
        """Inserts a version."""
        await self._session.execute(upsert(ProcedureVersion).values(**values))

    async def get(self, procedure_id: UUID, *, lock: bool = False) -> Procedure | None:
        """Answers a procedure, in whichever state."""
        query = self._owned().where(Procedure.id == procedure_id)
        return await self._session.scalar(query.with_for_update() if lock else query)

    async def page(
        self,
        kept: Collection[UUID],
        state: int,
        code_prefix: str,
        after: tuple[UUID, str] | None,
        count: int,
    ) -> Sequence[Procedure]:
        """Answers procedures by owner and code; drafts of the owners in `kept` alone. State 0 is any."""
        drafts = Procedure.tenant_id.in_(kept)
        query = self._owned().where(or_(Procedure.state != ProcedureState.DRAFT, drafts))
        if state:
            query = query.where(Procedure.state == state)
        if code_prefix:
            query = query.where(Procedure.code.startswith(code_prefix, autoescape=True))
        place = tuple_(Procedure.tenant_id, Procedure.code)
        if after is not None:
            query = query.where(place > after)
        query = query.order_by(Procedure.tenant_id, Procedure.code).limit(count)
        return (await self._session.scalars(query)).all()

    async def version(self, procedure_id: UUID, version: int) -> VersionRow | None:
        """Answers a version."""
        query = self._versions(procedure_id).where(ProcedureVersion.version == version)
        found: VersionRow | None = (await self._session.execute(query)).one_or_none()
        return found

    async def versions(self, procedure_id: UUID, before: int | None, count: int) -> Sequence[VersionRow]:
        """Answers the versions of a procedure, the newest first, from below that number on."""
        query = self._versions(procedure_id)
        if before is not None:
            query = query.where(ProcedureVersion.version < before)
        query = query.order_by(ProcedureVersion.version.desc()).limit(count)
        found: Sequence[VersionRow] = (await self._session.execute(query)).all()
        return found

    def _owned(self) -> Select[Procedure]:
        return select(Procedure).where(Procedure.tenant_id.in_(self._owners))

    def _versions(self, procedure_id: UUID) -> Any:
        return select(*ProcedureVersion.__table__.columns).where(
            ProcedureVersion.tenant_id.in_(self._owners), ProcedureVersion.procedure_id == procedure_id
        )
