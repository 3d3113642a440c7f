"""The watches of this process, and what wakes, doubts and ends them from outside."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from uuid import UUID

from google.protobuf.message import DecodeError

from chassis.access.invalidation import AUDITED, named_ids
from chassis.call import Caller
from chassis.events.bus import Bus, Listener, Notice
from chassis.events.envelope import subject_of
from services.sessions import tails
from services.sessions.errors import NotEmployed, TooManyWatches
from services.sessions.events import DELETED, deleted_session
from services.sessions.tails import Tails
from services.sessions.watcher import Sources, Watcher
from wrtn.identity.v1.events_pb2 import AccountTransferred
from wrtn.sessions.v1.recorder_pb2 import Control
from wrtn.sessions.v1.watch_pb2 import WatchChatSessionRequest

MOST_A_MEMBER = 50
_ROUND_SECONDS = 0.5
_DEAF_ROUNDS = 8
"""How often rights are asked for while no events can be heard, in rounds."""


class Watchers:
    """Knows every watch, listens to the broker for what is watched, and tells whom it concerns."""

    def __init__(
        self, bus: Bus, sources: Sources, tails_: Tails, draining: asyncio.Event, *, unread_seconds: float
    ) -> None:
        self._bus = bus
        self._sources = sources
        self._draining = draining
        self._unread_seconds = unread_seconds
        self._of: dict[UUID, set[Watcher]] = {}
        self._about: dict[UUID, set[Watcher]] = {}
        self._grown: Listener | None = None
        self._written: dict[UUID, Listener] = {}
        self._listeners: list[Listener] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._closing: set[asyncio.Task[None]] = set()
        tails_.on_growth(lambda: bool(self._of), self._grew)

    async def start(self) -> None:
        """Begins to listen."""
        self._listeners = [
            self._bus.listen("wrtn.identity.v1.>", self._rights_changed),
            self._bus.listen("wrtn.enterprise.v1.>", self._rights_changed),
            *(self._bus.listen(subject, self._deleted) for subject in DELETED),
        ]
        self._tasks = [asyncio.create_task(self._drain()), asyncio.create_task(self._rounds())]

    async def stop(self) -> None:
        """Listens no more."""
        for task in self._tasks:
            task.cancel()
        listeners = [*self._listeners, *self._written.values(), *([self._grown] if self._grown else [])]
        for listener in listeners:
            await listener.close()
        await asyncio.gather(*self._tasks, *self._closing, return_exceptions=True)

    def open(self, caller: Caller, request: WatchChatSessionRequest) -> Watcher:
        """Begins a watch; `close` it. Raises TooManyWatches, and NotEmployed for who has no account."""
        if caller.member_id is None or caller.login_id is None or caller.account_id is None:
            raise NotEmployed
        if len(self._about.get(caller.member_id, ())) >= MOST_A_MEMBER:
            raise TooManyWatches
        watcher = Watcher(self._sources, caller, request)
        if self._grown is None:
            self._grown = tails.listen(self._bus, self._grew)
        session_id = watcher.session_id
        if session_id not in self._of:
            self._written[session_id] = self._bus.listen(
                tails.being_written(session_id), lambda notice: self._write(session_id, notice)
            )
        self._of.setdefault(session_id, set()).add(watcher)
        for each in _names(watcher):
            self._about.setdefault(each, set()).add(watcher)
        if self._draining.is_set():
            watcher.tell(Control.KIND_SERVER_DRAINING)
        return watcher

    def close(self, watcher: Watcher) -> None:
        """Ends a watch."""
        for each in _names(watcher):
            _discard(self._about, each, watcher)
        if _discard(self._of, watcher.session_id, watcher):
            self._silence(self._written.pop(watcher.session_id))
        if not self._of and self._grown is not None:
            self._silence(self._grown)
            self._grown = None

    def _silence(self, listener: Listener) -> None:
        task = asyncio.create_task(listener.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _all(self) -> Iterator[Watcher]:
        for watchers in tuple(self._of.values()):
            yield from tuple(watchers)

    def _grew(self, session_id: UUID, sequence: int) -> None:
        for watcher in self._of.get(session_id, ()):
            watcher.grew(sequence)

    def _write(self, session_id: UUID, notice: Notice) -> None:
        for watcher in self._of.get(session_id, ()):
            watcher.write(notice.data)

    def _deleted(self, notice: Notice) -> None:
        if (session_id := deleted_session(notice)) is not None:
            for watcher in self._of.get(session_id, ()):
                # Ids are unique within a tenant: the database says whether it is this very session.
                watcher.ask()

    def _rights_changed(self, notice: Notice) -> None:
        """Doubts the watches of those whom an event names, and of their tenants."""
        if notice.subject.endswith(AUDITED):
            return
        if notice.subject == subject_of(AccountTransferred):
            self._account_transferred(notice)
        for watcher in self._concerned(named_ids(notice.headers, notice.data)):
            watcher.doubt()

    def _concerned(self, ids: Iterable[UUID]) -> set[Watcher]:
        return {watcher for each in ids for watcher in self._about.get(each, ())}

    def _account_transferred(self, notice: Notice) -> None:
        """Ends the watches of who held the account."""
        with contextlib.suppress(DecodeError, ValueError):
            event = AccountTransferred.FromString(notice.data)
            account_id, before = UUID(event.account_id), UUID(event.old_holder_member_id)
            for watcher in self._concerned([account_id]):
                if watcher.caller.member_id == before:
                    watcher.tell(Control.KIND_ACCOUNT_TRANSFERRED)

    async def _drain(self) -> None:
        await self._draining.wait()
        for watcher in self._all():
            watcher.tell(Control.KIND_SERVER_DRAINING)

    async def _rounds(self) -> None:
        """Ends what is not read, asks about who watches another's session, looks while nothing is heard."""
        generation, deaf = self._bus.generation, 0
        while True:
            await asyncio.sleep(_ROUND_SECONDS)
            missed = self._bus.generation != generation
            generation = self._bus.generation
            deaf = 0 if self._bus.connected else deaf + 1
            for watcher in self._all():
                watcher.expire(self._unread_seconds)
                if missed or (deaf and deaf % _DEAF_ROUNDS == 0):
                    watcher.doubt()
                if missed or deaf:
                    watcher.look()
                elif watcher.foreign:
                    watcher.ask()


def _names(watcher: Watcher) -> set[UUID]:
    caller = watcher.caller
    named = (caller.member_id, caller.login_id, caller.account_id, caller.tenant_id, watcher.tenant_id)
    return {each for each in named if each is not None}


def _discard(index: dict[UUID, set[Watcher]], key: UUID, watcher: Watcher) -> bool:
    """Takes the watcher out; says whether nobody is left there."""
    found = index.get(key)
    if found is None:
        return False
    found.discard(watcher)
    if not found:
        del index[key]
    return not found
