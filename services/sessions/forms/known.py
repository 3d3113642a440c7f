"""The compiled forms that this process uses, as many as there is room for. A version never changes."""

from __future__ import annotations

from collections import OrderedDict
from uuid import UUID

from chassis.database import Database, Scope
from services.sessions.forms.compiled import Form
from services.sessions.models import PLATFORM, Session
from services.sessions.store import Procedures

MOST_KEPT = 256


class Forms:
    """Finds the form of a procedure session; those that were used longest ago leave.

    Whether its tenant sees the procedure was asked when the session was created: ids are never given twice.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._kept: OrderedDict[tuple[UUID, int], Form] = OrderedDict()

    async def of(self, session: Session) -> Form | None:
        """Answers the form of the session's version; None for a chat session."""
        if session.procedure_id is None or session.procedure_version is None:
            return None
        key = session.procedure_id, session.procedure_version
        form = self._kept.get(key)
        if form is None:
            form = self._kept[key] = await self._load(session.tenant_id, *key)
        self._kept.move_to_end(key)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return form

    async def _load(self, tenant_id: UUID, procedure_id: UUID, version: int) -> Form:
        owners = (PLATFORM, tenant_id)
        async with self._db.snapshot(Scope.of(*owners)) as tx:
            row = await Procedures(tx, owners).version(procedure_id, version)
        if row is None:
            raise LookupError(f"version {version} of procedure {procedure_id} is gone")
        return Form(row.input_form, row.output_schema)
