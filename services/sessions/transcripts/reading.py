"""Reading a session from its first history to its last, some at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator

from chassis.crypto import Keyring
from chassis.database import Database, Scope
from services.sessions import sessions
from services.sessions.errors import SessionNotFound
from services.sessions.models import Session
from services.sessions.shapes import Shown
from services.sessions.store import Histories, Sessions
from wrtn.sessions.v1 import chat_sessions_pb2 as pb

_ROWS = 200
_BYTES = 2 * 1024 * 1024


class Transcript:
    """A session as it was when the transcript was asked for. Whoever asks may read it."""

    def __init__(self, db: Database, keyring: Keyring, row: Session, session: Shown) -> None:
        self._db = db
        self._keyring = keyring
        self._row = row
        self.session = session

    @property
    def title(self) -> str:
        """The session's title, or what it is."""
        return " ".join(self.session.title.split()) or self._row.kind.replace("_", " ").capitalize()

    @property
    def subject(self) -> str:
        """What the session is with: its model, or its procedure in its version."""
        row = self._row
        return row.model if row.procedure_id is None else f"{row.procedure_id} v{row.procedure_version}"

    @property
    def field(self) -> str:
        """The name of the session in a JSON document: "chatSession"."""
        first, _, rest = self._row.kind.partition("_")
        return first + rest.capitalize()

    async def histories(self) -> AsyncIterator[pb.History]:
        """Yields the histories in order, no transaction being held meanwhile.

        Raises SessionNotFound if the session is deleted before the end.
        """
        row, after = self._row, 0
        while after < row.last_sequence:
            async with self._db.snapshot(Scope.of(row.tenant_id)) as tx:
                if await Sessions(tx, row.tenant_id).of_tenant(row.id) is None:
                    raise SessionNotFound
                count = min(_ROWS, row.last_sequence - after)
                rows = await Histories(tx, row.tenant_id).page(row.id, after, count, _BYTES)
                page = await sessions.histories(tx, self._keyring, row.tenant_id, rows)
            for each in page:
                yield each
            after = page[-1].sequence
