"""The methods on the acting account's own sessions."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any
from uuid import UUID

from google.protobuf.empty_pb2 import Empty

from chassis import masks
from chassis.call import current
from chassis.database import Transaction
from chassis.idempotency import once
from chassis.paging import Page, time_and_id
from services.sessions import content, convert, sessions, title_search
from services.sessions.acting import Acting
from services.sessions.filters import Wanted, common
from services.sessions.rpc.sessions.base import SessionRpc
from services.sessions.sessions import Opening
from services.sessions.shapes import Shown
from services.sessions.store import Connections, Sessions
from wrtn.sessions.v1.chat_sessions_pb2 import ListConnectionsResponse


class OwnSessions(SessionRpc):
    """Works on sessions of the acting account alone."""

    async def create(self, request: Any, context: Any) -> Any:
        """Creates a session; the account's holder must have joined the team that is named."""
        caller = current().caller
        acting = Acting.of(caller)
        opening = await self._opening(acting, request)
        await sessions.check_rights(self._access, acting, opening)

        async def work(tx: Transaction) -> Shown:
            return await sessions.create(tx, self._keyring, acting, opening)

        return await once(self._db, caller.scope, request, work)

    @abstractmethod
    async def _opening(self, acting: Acting, request: Any) -> Opening:
        """Answers what a session is asked for."""

    async def list_own(self, request: Any, context: Any) -> Any:
        """Lists the sessions of the account; looks through the titles if one is asked for."""
        caller = current().caller
        acting = Acting.of(caller)
        page = Page.of(request)
        wanted = Wanted(
            account_id=acting.account_id,
            team_id=UUID(request.team_id) if request.team_id else None,
            favourite=request.favourite if request.HasField("favourite") else None,
            deleted=request.deleted,
            **common(request, newest_first=False),
        )
        async with self._db.snapshot(caller.scope) as tx:
            store = Sessions(tx, acting.tenant_id, self.shape.kind)
            if request.title:
                shown, token = await title_search.search(
                    tx, self._keyring, store, wanted, request.title, page.after(time_and_id), page
                )
            else:
                rows = await store.page(wanted, page.after(time_and_id), page.size + 1)
                rows, token = page.cut(rows, lambda row: title_search.key_of(wanted, row))
                shown = await sessions.shown(tx, self._keyring, rows)
        return self.shape.page(self.shape.own_page, shown, token)

    async def update(self, request: Any, context: Any) -> Any:
        """Changes the title, or whether it is a favourite."""
        caller = current().caller
        wanted = getattr(request, self.shape.kind)
        changes = masks.changes(wanted, request.update_mask, allowed=("title", "favourite"))

        async def work(tx: Transaction) -> Shown:
            acting, session_id = Acting.of(caller), UUID(wanted.id)
            row = await sessions.found(tx, acting, session_id, self.shape.kind, lock=True)
            await sessions.change(tx, self._keyring, row, changes)
            return await sessions.shown_one(tx, self._keyring, row)

        return await once(self._db, caller.scope, request, work)

    async def delete(self, request: Any, context: Any) -> Empty:
        """Deletes the session. Its streams here end after the commit, those elsewhere by the event."""
        caller = current().caller

        async def work(tx: Transaction) -> Empty:
            acting, session_id = Acting.of(caller), self._named(request)
            row = await sessions.found(tx, acting, session_id, self.shape.kind, lock=True)
            await sessions.remove(tx, row)
            tx.after_commit(lambda: self._live.session_deleted(row.id))
            return Empty()

        return await once(self._db, caller.scope, request, work)

    async def undelete(self, request: Any, context: Any) -> Any:
        """Brings a deleted session back."""
        caller = current().caller

        async def work(tx: Transaction) -> Shown:
            acting, session_id = Acting.of(caller), self._named(request)
            row = await sessions.found_deleted(tx, acting, session_id, self.shape.kind)
            await sessions.restore(tx, row)
            return await sessions.shown_one(tx, self._keyring, row)

        return await once(self._db, caller.scope, request, work)

    async def connect(self, request: Any, context: Any) -> Any:
        """Gives out a ticket. Repeating it with the same request id answers the same one."""
        caller = current().caller
        acting, session_id = Acting.of(caller), self._named(request)
        async with self._db.snapshot(caller.scope) as seen:
            session = await sessions.found(seen, acting, session_id, self.shape.kind)
        await sessions.check_rights(self._access, acting, session)

        async def work(tx: Transaction) -> Any:
            row = await sessions.found(tx, acting, session_id, self.shape.kind)
            ticket, expire_time = await sessions.connect(tx, acting, row)
            return self.shape.connected(ticket=ticket, expire_time=convert.timestamp(expire_time))

        return await once(self._db, caller.scope, request, work)

    async def list_connections(self, request: Any, context: Any) -> ListConnectionsResponse:
        """Lists the connections of the session, the newest first."""
        caller = current().caller
        page = Page.of(request)
        async with self._db.snapshot(caller.scope) as tx:
            session = await sessions.found(tx, Acting.of(caller), self._named(request), self.shape.kind)
            store = Connections(tx, session.tenant_id)
            rows = await store.page(session.id, page.after(time_and_id), page.size + 1)
            rows, token = page.cut(rows, lambda row: (row.connect_time.isoformat(), str(row.id)))
            key = await self._keyring.key(tx, session.tenant_id) if rows else None
        origins = [content.open_origin(key, row.id, row.client, row.address) for row in rows] if key else []
        shown = [convert.connection(row, *origin) for row, origin in zip(rows, origins, strict=True)]
        return ListConnectionsResponse(connections=shown, next_page_token=token)
