"""One watch: what its session holds after a sequence, then what comes, while its caller may read it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from uuid import UUID

from prometheus_client import Counter

from chassis.access.employment import AccessCache
from chassis.access.principals import Principals
from chassis.auth.tokens import AccessToken
from chassis.call import Caller
from chassis.crypto import DataKey, DecryptionFailed, Keyring
from chassis.database import Database, Scope, Snapshot
from chassis.errors import Unavailable
from services.sessions import deltas, sessions
from services.sessions.errors import SessionNotFound, WatchUnread
from services.sessions.models import Session
from services.sessions.readers import Readers
from services.sessions.store import Connections, Histories
from wrtn.sessions.v1.chat_sessions_pb2 import History
from wrtn.sessions.v1.recorder_pb2 import Control, Delta
from wrtn.sessions.v1.watch_pb2 import CaughtUp, WatchChatSessionRequest, WatchChatSessionResponse

PAGE = 100
PAGE_BYTES = 1024 * 1024
MOST_PIECES = 256
"""Pieces of answers that may wait for a watcher who does not read them."""
KEY_SECONDS = 60.0
FIRST_NAP = 0.25
LONGEST_NAP = 15.0
"""Seconds between looks into the database when nothing is heard: they double, since most of what is missed is
missed while a subscription is on its way to the broker."""
_REMEMBERED = 64

_given_up = Counter("wrtn_watches_given_up_total", "Watches that were ended since they were not read.")


@dataclass(frozen=True, slots=True)
class Sources:
    """What every watcher reads from."""

    db: Database
    keyring: Keyring
    readers: Readers
    principals: Principals
    access: AccessCache


class Watcher:
    """Sends histories as the database has them, in order: what is heard only says when to look.

    Nothing waits for a slow reader but the pieces of answers, and of those no more than `MOST_PIECES`.
    """

    def __init__(self, sources: Sources, caller: Caller, request: WatchChatSessionRequest) -> None:
        self.session_id = UUID(request.chat_session_id)
        self.caller = caller
        self.tenant_id = UUID(request.tenant_id) if request.tenant_id else caller.tenant_id
        self.foreign = True
        """Whether the session is another's, as far as is known."""
        self._sources = sources
        self._tenant = request.tenant_id
        self._sequence = request.after_sequence
        self._last = request.after_sequence
        self._begun = False
        self._woken = asyncio.Event()
        self._nap = FIRST_NAP
        self._doubted = False
        self._control: Control.Kind.ValueType | None = None
        self._pieces: deque[bytes] | None = None
        self._shown: deque[str] = deque(maxlen=_REMEMBERED)
        self._key: tuple[float, DataKey] | None = None
        self._unread = False
        self._writing_since: float | None = None

    async def run(self) -> AsyncGenerator[WatchChatSessionResponse, None]:
        """Answers what is to be shown. Raises SessionNotFound before anything, WatchUnread, Unavailable."""
        async with aclosing(self._messages()) as messages:
            async for message in messages:
                self._writing_since = time.monotonic()
                yield message
                self._writing_since = None
                if self._unread:
                    raise WatchUnread

    def grew(self, sequence: int) -> None:
        """Says that the session has a history of this sequence."""
        if sequence > self._last:
            self._last = sequence
            self._woken.set()

    def write(self, sealed: bytes) -> None:
        """Shows a piece of an answer, once all histories before it are sent."""
        if self._pieces is None or self._unread:
            return
        if len(self._pieces) >= MOST_PIECES:
            self._give_up()
            return
        self._pieces.append(sealed)
        self._woken.set()

    def tell(self, kind: Control.Kind.ValueType) -> None:
        """Ends the watch with this word."""
        if self._control is None:
            self._control = kind
            self._woken.set()

    def doubt(self) -> None:
        """Asks anew whether the caller may read the session, before anything more is shown."""
        self._doubted = True
        self._woken.set()

    def look(self) -> None:
        """Looks into the database now, and again soon: something may have been missed."""
        self._nap = FIRST_NAP
        self.ask()

    def ask(self) -> None:
        """Looks once: who watches another's session is asked about each time."""
        self._last = max(self._last, self._sequence + 1)
        self._woken.set()

    def expire(self, unread_seconds: float) -> None:
        """Gives the watch up if its caller has read nothing for so long."""
        since = self._writing_since
        if since is not None and time.monotonic() - since >= unread_seconds:
            self._give_up()

    def _give_up(self) -> None:
        """Ends the watch once the write under way is over: no status goes out before that one."""
        if not self._unread:
            _given_up.inc()
        self._unread = True
        self._pieces = None
        self._woken.set()

    async def _messages(self) -> AsyncGenerator[WatchChatSessionResponse, None]:
        while histories := await self._page():
            for each in histories:
                yield self._history(each)
        self._pieces = deque()
        yield WatchChatSessionResponse(caught_up=CaughtUp(last_sequence=self._sequence))
        while True:
            await self._wait()
            async for message in self._news():
                yield message
            if self._control is not None:
                yield WatchChatSessionResponse(control=Control(kind=self._control))
                return

    async def _news(self) -> AsyncGenerator[WatchChatSessionResponse, None]:
        """Answers what is new, unless the caller may not see it any more: then the watch has its end."""
        try:
            if self._doubted:
                self._doubted = False
                await self._check()
            while self._control is None and self._last > self._sequence:
                found = self._last
                histories = await self._page()
                if not histories and self._last == found:
                    self._last = self._sequence
                for each in histories:
                    yield self._history(each)
            for delta in await self._opened():
                yield WatchChatSessionResponse(delta=delta)
        except SessionNotFound:
            self.tell(await self._why_lost())

    async def _wait(self) -> None:
        """Waits to be woken, or until it is time to look without."""
        try:
            async with asyncio.timeout(self._nap):
                await self._woken.wait()
        except TimeoutError:
            self._nap = min(2 * self._nap, LONGEST_NAP)
            self._last = max(self._last, self._sequence + 1)
        self._woken.clear()
        if self._unread:
            raise WatchUnread

    def _history(self, history: History) -> WatchChatSessionResponse:
        self._sequence = history.sequence
        self._last = max(self._last, self._sequence)
        self._shown.append(history.id)
        return WatchChatSessionResponse(history=history)

    async def _page(self) -> list[History]:
        """Answers the next histories; none when all were sent. Another's session is asked for each time."""
        after = self._sequence

        async def read(tx: Snapshot, row: Session) -> list[History]:
            self.foreign = row.account_id != self.caller.account_id or bool(self._tenant)
            if row.last_sequence <= after:
                return []
            rows = await Histories(tx, row.tenant_id).page(row.id, after, PAGE, PAGE_BYTES)
            return await sessions.histories(tx, self._sources.keyring, row.tenant_id, rows)

        found = await self._sources.readers.content(
            self.caller,
            self.session_id,
            read,
            what="watch",
            tenant=self._tenant,
            again=self._begun,
        )
        self._begun = True
        return found

    async def _check(self) -> None:
        """Ends the watch of who may not act any more. What the caller may read, the next page says."""
        caller = self.caller
        token = AccessToken(caller.member_id, caller.login_id, caller.account_id)
        try:
            found = await self._sources.principals.resolve(token, fresh=True)
            employed = found is None or await self._employed(found)
        except Unavailable:
            # With identity or enterprise away nobody's rights change; another's content waits for them.
            if self.foreign:
                raise
            return
        if found is None or found.tenant_id != caller.tenant_id or not employed:
            self.tell(Control.KIND_RIGHT_REVOKED)
            return
        self.caller = found
        if self.foreign:
            self._last = max(self._last, self._sequence + 1)

    async def _employed(self, caller: Caller) -> bool:
        tenant_id, account_id = caller.tenant_id, caller.account_id
        if tenant_id is None or account_id is None or tenant_id == account_id:
            return True
        access = self._sources.access
        return await access.resolve(tenant_id, account_id, member_id=caller.member_id, fresh=True) is not None

    async def _opened(self) -> list[Delta]:
        """Opens the pieces that wait. Those of a history that was shown already are left out."""
        if not self._pieces or self._control is not None:
            return []
        waiting, self._pieces = self._pieces, deque()
        key = await self._data_key()
        return [
            each for each in _opened(key, str(self.session_id), waiting) if each.history_id not in self._shown
        ]

    async def _data_key(self) -> DataKey:
        now = time.monotonic()
        if self._key is None or now >= self._key[0]:
            if self.tenant_id is None:
                raise SessionNotFound
            async with self._sources.db.snapshot(Scope.of(self.tenant_id)) as tx:
                self._key = now + KEY_SECONDS, await self._sources.keyring.key(tx, self.tenant_id)
        return self._key[1]

    async def _why_lost(self) -> Control.Kind.ValueType:
        if self.tenant_id is None:
            return Control.KIND_RIGHT_REVOKED
        async with self._sources.db.snapshot(Scope.of(self.tenant_id)) as tx:
            row = await Connections(tx, self.tenant_id).session_of(self.session_id)
        gone = row is None or row.delete_time is not None
        return Control.KIND_SESSION_DELETED if gone else Control.KIND_RIGHT_REVOKED


def _opened(key: DataKey, session_id: str, sealed: deque[bytes]) -> Iterator[Delta]:
    for each in sealed:
        try:
            yield deltas.unseal(key, session_id, each)
        except DecryptionFailed:
            continue
