"""The lists of others' sessions: metadata alone."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from chassis.call import current
from chassis.database import Scope
from chassis.paging import Page, time_and_id
from services.sessions import convert, title_search
from services.sessions.errors import TeamNotFound
from services.sessions.filters import Wanted, common
from services.sessions.rpc.sessions.base import SessionRpc
from services.sessions.shapes import Shown
from services.sessions.store import Sessions


class SessionLists(SessionRpc):
    """For those who run a team or an enterprise, and for staff."""

    async def list_team(self, request: Any, context: Any) -> Any:
        """Lists the sessions of all accounts on a team, or on none, without what was said in them."""
        team_id, caller = UUID(request.team_id) if request.team_id else None, current().caller
        if team_id is not None and (caller.access is None or caller.access.team is None):
            raise TeamNotFound
        wanted = Wanted(
            team_id=team_id,
            no_team=team_id is None,
            account_id=UUID(request.account_id) if request.account_id else None,
            **common(request, newest_first=True),
        )
        return self.shape.page(self.shape.team_page, *await self._listed(request, wanted))

    async def list_enterprise(self, request: Any, context: Any) -> Any:
        """Lists the sessions of all accounts of an enterprise, without what was said in them."""
        wanted = Wanted(
            account_id=UUID(request.account_id) if request.account_id else None,
            **common(request, newest_first=True),
        )
        return self.shape.page(self.shape.enterprise_page, *await self._listed(request, wanted))

    async def search(self, request: Any, context: Any) -> Any:
        """Lists what staff see of a tenant's sessions; the search is audited before it is answered."""
        page = Page.of(request)
        tenant_id = UUID(request.tenant_id)
        account_id = UUID(request.account_id) if request.account_id else None
        async with self._db.transaction(Scope.of(tenant_id)) as tx:
            store = Sessions(tx, tenant_id, self.shape.kind)
            rows = await store.newest(account_id, page.after(UUID), page.size + 1)
            rows, token = page.cut(rows, lambda row: (str(row.id),))
            tx.audit(
                f"{self.shape.kind}s.searched", tenant_id=tenant_id, account_id=account_id, found=len(rows)
            )
        shown = [convert.foreign_session(row) for row in rows]
        return self.shape.page(self.shape.search_page, shown, token)

    async def _listed(self, request: Any, wanted: Wanted) -> tuple[list[Shown], str]:
        page, enterprise_id = Page.of(request), UUID(request.enterprise_id)
        async with self._db.snapshot(current().caller.scope) as tx:
            store = Sessions(tx, enterprise_id, self.shape.kind)
            rows = await store.page(wanted, page.after(time_and_id), page.size + 1)
        rows, token = page.cut(rows, lambda row: title_search.key_of(wanted, row))
        return [convert.foreign_session(row) for row in rows], token
