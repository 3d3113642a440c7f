"""Who may look into a session: its holder, and others on grounds of their own, which are audited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from chassis.access.employment import AccessCache
from chassis.call import Access, Caller
from chassis.database import Database, Scope, Snapshot, Transaction
from services.sessions.acting import Acting
from services.sessions.break_glass import BreakGlass
from services.sessions.errors import SessionNotFound
from services.sessions.models import Session, SessionKind
from services.sessions.store import Sessions
from wrtn.access.v1.access_pb2 import ROLE_MANAGER, TITLE_MANAGER

R = TypeVar("R")


class Readers:
    """Opens sessions for those who may read them. Who may not finds nothing: SessionNotFound."""

    def __init__(self, db: Database, access: AccessCache, break_glass: BreakGlass) -> None:
        self._db = db
        self._access = access
        self._break_glass = break_glass

    async def content(
        self,
        caller: Caller,
        session_id: UUID,
        read: Callable[[Snapshot, Session], Awaitable[R]],
        *,
        what: str,
        kind: SessionKind | None = None,
        tenant: str = "",
        again: bool = False,
    ) -> R:
        """Answers what `read` makes of the session, its content included.

        The holder reads at once. Owners and managers of the enterprise read where it says so, asked anew; the
        read is audited in the transaction that it is part of, and committed before anything is answered.
        `what` names what is read, for the audit; `kind` finds sessions of that kind alone. With `tenant`,
        staff read there by break-glass. `again` is set by a watch that goes on: it is asked about each time,
        and was audited when it began.
        """
        if tenant:
            return await self._by_break_glass(caller, UUID(tenant), session_id, read, what, kind, again)
        acting = Acting.of(caller)
        async with self._db.snapshot(caller.scope) as seen:
            row = await Sessions(seen, acting.tenant_id, kind).get(session_id, acting.account_id)
            if row is not None:
                return await read(seen, row)
        if not may_read_content(await self._asked(acting, None)):
            raise SessionNotFound
        async with self._db.transaction(caller.scope) as tx:
            row = await _of_tenant(tx, acting, session_id, kind)
            if not again:
                _audit(tx, row, what)
            return await read(tx, row)

    async def _by_break_glass(
        self,
        caller: Caller,
        tenant_id: UUID,
        session_id: UUID,
        read: Callable[[Snapshot, Session], Awaitable[R]],
        what: str,
        kind: SessionKind | None,
        again: bool,
    ) -> R:
        used = await self._break_glass.open_to(caller, tenant_id)
        if used is None:
            raise SessionNotFound
        async with self._db.transaction(Scope.of(tenant_id)) as tx:
            row = await Sessions(tx, tenant_id, kind).of_tenant(session_id)
            if row is None:
                raise SessionNotFound
            if not again:
                _audit(tx, row, what, break_glass_id=used)
            return await read(tx, row)

    async def metadata(self, caller: Caller, session_id: UUID, kind: SessionKind) -> Session:
        """Answers the session, of which only metadata and usage may be shown.

        To its holder, to owners and managers of the enterprise, to chiefs and managers of its team or above.
        """
        acting = Acting.of(caller)
        async with self._db.snapshot(caller.scope) as seen:
            row = await _of_tenant(seen, acting, session_id, kind)
        if row.account_id != acting.account_id and not may_see(await self._asked(acting, row.team_id)):
            raise SessionNotFound
        return row

    async def _asked(self, acting: Acting, team_id: UUID | None) -> Access | None:
        """Asks enterprise anew who the caller is there; nobody in a personal account."""
        if acting.tenant_id == acting.account_id:
            return None
        return await self._access.resolve(
            acting.tenant_id, acting.account_id, team_id, member_id=acting.member_id, fresh=True
        )


def may_read_content(found: Access | None) -> bool:
    """Whether one may read the content of the enterprise's accounts."""
    return found is not None and found.content_readable and found.title >= TITLE_MANAGER


def may_see(found: Access | None) -> bool:
    """Whether one may see metadata and usage on the team that the access was resolved for."""
    if found is None:
        return False
    return found.title >= TITLE_MANAGER or (found.team is not None and found.team.role >= ROLE_MANAGER)


async def _of_tenant(tx: Snapshot, acting: Acting, session_id: UUID, kind: SessionKind | None) -> Session:
    row = await Sessions(tx, acting.tenant_id, kind).of_tenant(session_id)
    if row is None:
        raise SessionNotFound
    return row


def _audit(tx: Transaction, row: Session, what: str, break_glass_id: UUID | None = None) -> None:
    """Says who read another's content: "chat_session.read"."""
    tx.audit(
        f"{row.kind}.read",
        tenant_id=row.tenant_id,
        target_id=row.id,
        account_id=row.account_id,
        break_glass_id=break_glass_id,
        what=what,
    )
