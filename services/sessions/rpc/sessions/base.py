"""What the methods on sessions have in common."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from chassis.access.employment import AccessCache
from chassis.crypto import Keyring
from chassis.database import Database
from services.sessions.live import Live
from services.sessions.readers import Readers
from services.sessions.shapes import Shape


class SessionRpc:
    """A servicer of one kind of sessions. Its requests are named differently by kind, and are alike."""

    shape: ClassVar[Shape]

    def __init__(
        self, db: Database, keyring: Keyring, access: AccessCache, live: Live, readers: Readers
    ) -> None:
        self._db = db
        self._keyring = keyring
        self._access = access
        self._live = live
        self._readers = readers

    def _named(self, request: Any) -> UUID:
        """Answers the session that the request names."""
        return UUID(getattr(request, self.shape.id_field))
