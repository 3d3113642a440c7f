"""The methods that show what is in a session, to its holder and to whom else may see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from google.api.httpbody_pb2 import HttpBody

from chassis.call import current
from chassis.database import Snapshot
from chassis.paging import Page
from services.sessions import convert, sessions
from services.sessions.models import Session
from services.sessions.rpc.sessions.base import SessionRpc
from services.sessions.shapes import Shown
from services.sessions.store import Histories
from services.sessions.transcripts import FORMATS, Transcript
from wrtn.sessions.v1.chat_sessions_pb2 import ListHistoriesResponse
from wrtn.sessions.v1.token_usage_pb2 import TokenUsage

_PAGE_BYTES = 3 * 1024 * 1024


class SessionContents(SessionRpc):
    """Who may look, `readers` knows."""

    async def get(self, request: Any, context: Any) -> Any:
        """Gets the session."""

        async def read(tx: Snapshot, row: Session) -> Shown:
            return await sessions.shown_one(tx, self._keyring, row)

        return await self._readers.content(
            current().caller,
            self._named(request),
            read,
            what="title",
            kind=self.shape.kind,
            tenant=request.tenant_id,
        )

    async def export(self, request: Any, context: Any) -> AsyncIterator[HttpBody]:
        """Streams the transcript, page by page; who reads it is audited before the first one."""

        async def read(tx: Snapshot, row: Session) -> tuple[Session, Shown]:
            return row, await sessions.shown_one(tx, self._keyring, row)

        row, shown = await self._readers.content(
            current().caller,
            self._named(request),
            read,
            what="transcript",
            kind=self.shape.kind,
            tenant=request.tenant_id,
        )
        transcript = Transcript(self._db, self._keyring, row, shown)
        written = FORMATS[request.format]
        name = f"{row.kind.replace('_', '-')}-{row.id}.{written.ending}"
        await context.send_initial_metadata(
            (
                ("x-http-header-content-disposition", f'attachment; filename="{name}"'),
                ("x-http-header-cache-control", "no-store"),
            )
        )
        async for data in written.write(transcript):
            yield HttpBody(content_type=written.content_type, data=data)

    async def list_histories(self, request: Any, context: Any) -> ListHistoriesResponse:
        """Lists the histories in order.

        Cuts the page where its bodies get too many; whether there is more, the last sequence tells.
        """
        page = Page.of(request)

        async def read(tx: Snapshot, session: Session) -> ListHistoriesResponse:
            store = Histories(tx, session.tenant_id)
            rows = await store.page(session.id, page.after(int) or 0, page.size, _PAGE_BYTES)
            histories = await sessions.histories(tx, self._keyring, session.tenant_id, rows)
            token = ""
            if rows and rows[-1].sequence < session.last_sequence:
                shorter = replace(page, size=len(rows))
                _, token = shorter.cut([*rows, rows[-1]], lambda row: (str(row.sequence),))
            return ListHistoriesResponse(histories=histories, next_page_token=token)

        return await self._readers.content(
            current().caller,
            self._named(request),
            read,
            what="histories",
            kind=self.shape.kind,
            tenant=request.tenant_id,
        )

    async def get_token_usage(self, request: Any, context: Any) -> TokenUsage:
        """Gets the sum of what the histories of the session cost, exact at every ack."""
        row = await self._readers.metadata(current().caller, self._named(request), self.shape.kind)
        return convert.token_usage(row)
