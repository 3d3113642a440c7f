"""The open streams of this process, and what ends them from outside."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Iterable
from uuid import UUID

import structlog
from google.protobuf.message import DecodeError

from chassis.access.invalidation import AUDITED, changed_ids, named_ids
from chassis.errors import DomainError
from chassis.events.bus import Bus, Notice
from chassis.events.envelope import subject_of
from services.sessions.authorities import Authorities
from services.sessions.authority import Authority
from services.sessions.closings import Closings
from services.sessions.errors import NotGranted, RightRevoked
from services.sessions.events import DELETED, deleted_session
from services.sessions.stream import Stream
from wrtn.identity.v1.events_pb2 import AccountTransferred, SignInPolicyChanged
from wrtn.sessions.v1.recorder_pb2 import Control

_ROUND_SECONDS = 1.0
_DEAF_SECONDS = 4.0
"""How often rights are asked for while no events can be heard."""
_AT_ONCE = 20

_log = structlog.get_logger(__name__)


class Live:
    """Knows every open stream, and tells those whom something concerns."""

    def __init__(
        self,
        bus: Bus,
        authorities: Authorities,
        closings: Closings,
        draining: asyncio.Event,
        *,
        unread_seconds: float,
    ) -> None:
        self._bus = bus
        self._authorities = authorities
        self._draining = draining
        self._closings = closings
        self._unread_seconds = unread_seconds
        self._streams: dict[UUID, Stream] = {}
        self._of_session: dict[UUID, set[Stream]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._asking = asyncio.Semaphore(_AT_ONCE)
        self._heard: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begins to listen."""
        self._listeners = [
            self._bus.listen("wrtn.identity.v1.>", self._rights_changed),
            self._bus.listen("wrtn.enterprise.v1.>", self._enterprise_changed),
            *(self._bus.listen(subject, self._deleted_elsewhere) for subject in DELETED),
        ]
        self._tasks = [asyncio.create_task(self._drain()), asyncio.create_task(self._watch())]

    async def stop(self) -> None:
        """Listens no more."""
        for listener in self._listeners:
            await listener.close()
        tasks = [*self._tasks, *self._heard]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def add(self, stream: Stream) -> None:
        """Counts a stream in; one that comes while the process drains is told at once."""
        self._streams[stream.authority.connection_id] = stream
        self._of_session.setdefault(stream.authority.session_id, set()).add(stream)
        if self._draining.is_set():
            stream.tell(Control.KIND_SERVER_DRAINING)

    def remove(self, stream: Stream) -> None:
        """Counts a stream out."""
        self._streams.pop(stream.authority.connection_id, None)
        session_id = stream.authority.session_id
        streams = self._of_session.get(session_id, set())
        streams.discard(stream)
        if not streams:
            self._of_session.pop(session_id, None)

    def session_deleted(self, session_id: UUID) -> None:
        """Ends the streams of a deleted session."""
        for stream in tuple(self._of_session.get(session_id, ())):
            stream.tell(Control.KIND_SESSION_DELETED)

    def tell_all(self, kind: Control.Kind.ValueType) -> None:
        """Ends every stream."""
        for stream in tuple(self._streams.values()):
            stream.tell(kind)

    def _deleted_elsewhere(self, notice: Notice) -> None:
        if (session_id := deleted_session(notice)) is not None:
            self.session_deleted(session_id)

    def _rights_changed(self, notice: Notice) -> None:
        """Renews the authorities that an event names; unary ones when they are used next."""
        if notice.subject == subject_of(AccountTransferred):
            self._account_transferred(notice)
        if notice.subject.endswith(AUDITED):
            return
        named = named_ids(notice.headers, notice.data)
        concerned = self._authorities.about(named)
        if notice.subject == subject_of(SignInPolicyChanged):
            concerned |= self._authorities.within(named)
        self._renew(concerned)

    def _enterprise_changed(self, notice: Notice) -> None:
        """Renews the authorities of those whose rights in their enterprise an event may have changed."""
        changed = changed_ids(notice.subject, notice.headers, notice.data)
        self._renew(self._authorities.about(changed) | self._authorities.within(changed))

    def _renew(self, concerned: Collection[Authority]) -> None:
        for authority in concerned:
            authority.fresh_until = 0
        self._ask_soon(authority for authority in concerned if authority.connection_id in self._streams)

    def _account_transferred(self, notice: Notice) -> None:
        """Ends the streams of who held the account. The new holder's, if one is open already, goes on."""
        with contextlib.suppress(DecodeError, ValueError):
            event = AccountTransferred.FromString(notice.data)
            account_id, before = UUID(event.account_id), UUID(event.old_holder_member_id)
            for authority in self._authorities.about([account_id]):
                stream = self._streams.get(authority.connection_id)
                if stream is not None and authority.holder.member_id == before:
                    stream.tell(Control.KIND_ACCOUNT_TRANSFERRED)

    def _ask_soon(self, authorities: Iterable[Authority]) -> None:
        for authority in authorities:
            task = asyncio.create_task(self._ask(authority))
            self._heard.add(task)
            task.add_done_callback(self._heard.discard)

    async def _ask(self, authority: Authority) -> None:
        """Ends the stream of an authority whose right is gone."""
        async with self._asking:
            try:
                await self._authorities.renew(authority, fresh=True)
            except (RightRevoked, NotGranted):
                stream = self._streams.get(authority.connection_id)
                if stream is not None:
                    stream.tell(Control.KIND_RIGHT_REVOKED)
            except DomainError as error:
                _log.warning("rights could not be renewed", exc_info=error)

    async def _drain(self) -> None:
        await self._draining.wait()
        self.tell_all(Control.KIND_SERVER_DRAINING)

    async def _watch(self) -> None:
        """Ends streams that are not read, and asks for rights while events may be missed."""
        loop = asyncio.get_running_loop()
        generation = self._bus.generation
        asked = loop.time()
        while True:
            await asyncio.sleep(_ROUND_SECONDS)
            for stream in tuple(self._streams.values()):
                if stream.expire(self._unread_seconds):
                    self._closings.begin(stream)
            reconnected = self._bus.generation != generation
            deaf = not self._bus.connected and loop.time() - asked >= _DEAF_SECONDS
            if reconnected or deaf:
                generation, asked = self._bus.generation, loop.time()
                self._ask_soon([stream.authority for stream in self._streams.values()])
