"""A short-lived cache of answers that events take back, and the one question in flight for each key."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Iterable
from contextvars import Context
from typing import Generic, TypeVar
from uuid import UUID

from chassis.errors import Unavailable

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_ATTEMPTS = 10
"""How often an answer is asked for that is taken back on its way: bursts of changes are shorter."""


class _Flight(Generic[V]):
    """A question under way. It turns stale when an event takes its answer back before it arrives."""

    __slots__ = ("began", "dropped", "stale", "task")

    def __init__(self, answer: Awaitable[V]) -> None:
        self.began = time.monotonic()
        self.stale = False
        self.dropped: set[UUID] = set()
        """What was dropped meanwhile: whether the answer is about it, only the answer tells."""
        # In a context of its own: the deadline and the trace of whoever asks first bind no one else.
        self.task = asyncio.get_running_loop().create_task(_awaited(answer), context=Context())
        self.task.add_done_callback(_seen)


async def _awaited(answer: Awaitable[V]) -> V:
    return await answer


def _seen(task: asyncio.Task[V]) -> None:
    """Marks an error as retrieved, since everyone who waited for it may have been cancelled."""
    if not task.cancelled():
        task.exception()


class AnswerCache(Generic[K, V]):
    """Keeps the answers of `ask` for `ttl` seconds from when they were asked for.

    `names` answers the ids that a key is about, `learned` those that its answer is about besides: `drop`
    takes back every answer about an id, those in flight included. An error is never kept, nor an answer for
    longer than the seconds that `good_for` says. The oldest answers leave when there are more than `most`.
    """

    def __init__(
        self,
        ask: Callable[[K], Awaitable[V]],
        names: Callable[[K], Iterable[UUID]],
        *,
        learned: Callable[[V], Iterable[UUID]] = lambda _: (),
        ttl: float = 5,
        most: int = 50_000,
        good_for: Callable[[V], float | None] = lambda _: None,
    ) -> None:
        self._ask = ask
        self._good_for = good_for
        self._names = names
        self._learned = learned
        self._ttl = ttl
        self._most = most
        self._kept: dict[K, tuple[float, V]] = {}
        self._flights: dict[K, _Flight[V]] = {}
        self._about: dict[UUID, set[K]] = {}

    def get(self, key: K) -> tuple[float, V] | None:
        """Answers when the kept answer ends (time.monotonic) and the answer, or None."""
        found = self._kept.get(key)
        return found if found is not None and found[0] > time.monotonic() else None

    async def resolve(self, key: K, *, fresh: bool = False) -> V:
        """Answers from the cache, or asks; `fresh` asks in any case and shares no earlier question.

        Raises what `ask` raises, and Unavailable if the answer was taken back again and again.
        """
        found = None if fresh else self.get(key)
        if found is not None:
            return found[1]
        for _ in range(_ATTEMPTS):
            flight = None if fresh else self._flights.get(key)
            if flight is None:
                flight = self._depart(key)
            answer = await asyncio.shield(flight.task)
            if not flight.stale:
                return answer
        raise Unavailable("Rights are being changed at this moment.", retry_after=0.1)

    def drop(self, ids: Iterable[UUID]) -> None:
        """Takes back every answer about one of these ids."""
        dropped = set(ids)
        for each in dropped:
            for key in tuple(self._about.get(each, ())):
                self._forget(key)
        for flight in self._flights.values():
            flight.dropped |= dropped

    def drop_where(self, concerned: Callable[[V], bool]) -> None:
        """Takes back the answers that are concerned, and each that is under way: it may come to be."""
        kept = [key for key, (_, answer) in self._kept.items() if concerned(answer)]
        for key in (*kept, *self._flights):
            self._forget(key)

    def clear(self) -> None:
        """Takes back every answer."""
        for key in (*self._kept, *self._flights):
            self._forget(key)

    def __len__(self) -> int:
        return len(self._kept)

    def _depart(self, key: K) -> _Flight[V]:
        flight = _Flight(self._ask(key))
        self._flights[key] = flight
        self._name(key, self._names(key))
        flight.task.add_done_callback(lambda task: self._land(key, flight, task))
        return flight

    def _land(self, key: K, flight: _Flight[V], task: asyncio.Task[V]) -> None:
        """Keeps the answer, unless it was taken back or a later question replaced this one."""
        failed = task.cancelled() or task.exception() is not None
        learned = () if failed else tuple(self._learned(task.result()))
        if not flight.dropped.isdisjoint(learned):
            flight.stale = True
        if self._flights.get(key) is not flight:
            return
        del self._flights[key]
        if failed or flight.stale:
            if key not in self._kept:
                self._unname(key)
            return
        self._drop_kept(key)
        answer = task.result()
        limit = self._good_for(answer)
        kept_for = self._ttl if limit is None else min(self._ttl, limit)
        self._kept[key] = (flight.began + kept_for, answer)
        self._name(key, (*self._names(key), *learned))
        if len(self._kept) > self._most:
            self._evict(next(iter(self._kept)))

    def _evict(self, key: K) -> None:
        self._drop_kept(key)
        if key in self._flights:
            self._name(key, self._names(key))

    def _drop_kept(self, key: K) -> None:
        """Forgets the kept answer with all that it is about."""
        kept = self._kept.pop(key, None)
        self._unname(key, () if kept is None else self._learned(kept[1]))

    def _forget(self, key: K) -> None:
        self._drop_kept(key)
        flight = self._flights.pop(key, None)
        if flight is not None:
            flight.stale = True

    def _name(self, key: K, ids: Iterable[UUID]) -> None:
        for each in ids:
            self._about.setdefault(each, set()).add(key)

    def _unname(self, key: K, learned: Iterable[UUID] = ()) -> None:
        for each in (*self._names(key), *learned):
            keys = self._about.get(each)
            if keys is not None:
                keys.discard(key)
                if not keys:
                    del self._about[each]
