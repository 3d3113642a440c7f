"""Pulling deliveries of a durable consumer: a standing request that is renewed before it runs dry.

nats-py's own `fetch` waits for a full batch or its time-out once messages trickle, and can be starved
by its own abandoned requests (nats.py issues 933, 986). Here one request stands at a time, messages
are handed out as soon as there are any, and silence is noticed: the server sends a heartbeat on
an idle request, and a look at the consumer tells whether messages wait that do not come.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from time import monotonic

import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.errors import APIError, NotFoundError

from chassis.errors import Unavailable
from chassis.events import metrics
from chassis.events.bus import Bus
from chassis.events.streams import ensure_durable, stream_of
from chassis.rest import rest

log = structlog.get_logger(__name__)

_SECOND = 1_000_000_000
# Seconds: how long one request stands, and how often the server shows that it still does.
REQUEST_EXPIRES = 20.0
HEARTBEAT = 1.0
# Seconds without any word from the server after which the request counts as lost.
SILENCE = 3 * HEARTBEAT
# Seconds without a message after which the consumer is looked at, since heartbeats alone prove little.
LOOK = 5.0
RETRY_DELAY = 0.25


class Pull:
    """The deliveries of one durable consumer, in stream order, with at most two batches in memory."""

    def __init__(self, bus: Bus, *, source: str, durable: str, subjects: list[str], batch: int) -> None:
        self._bus = bus
        self._source = source
        self._durable = durable
        self._subjects = subjects
        self._batch = batch
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream_of(source)}.{durable}"
        self._buffer: deque[Msg] = deque()
        self._wake = asyncio.Event()
        self._subscription: Subscription | None = None
        self._generation = -1
        self._number = 0
        self._reply = ""
        self._wanted = 0
        self._heard = self._progress = 0.0
        self._in_vain = 0
        self._closing = asyncio.Event()

    async def next(self) -> list[Msg]:
        """Waits for messages and answers those that are there, a batch at most; nothing once closed."""
        while not self._closing.is_set():
            await self._renew()
            if self._buffer:
                return [self._buffer.popleft() for _ in range(min(self._batch, len(self._buffer)))]
            await self._word()
        return []

    async def close(self) -> list[Msg]:
        """Ends the request and answers what was delivered and not handed out."""
        self._closing.set()
        self._wake.set()
        if self._subscription is not None:
            # Draining hands over what nats-py has received and not yet given to us.
            with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
                await asyncio.wait_for(self._subscription.drain(), 1)  # type: ignore[no-untyped-call]
        left = list(self._buffer)
        self._buffer.clear()
        return left

    @property
    def buffered(self) -> list[Msg]:
        """The messages that are delivered and not yet handed out."""
        return list(self._buffer)

    async def _word(self) -> None:
        self._wake.clear()
        if self._closing.is_set():
            # What `close` has set was cleared just now: waiting would only hold up the end.
            return
        await rest(self._wake, HEARTBEAT)

    async def _renew(self) -> None:
        """Keeps a request standing; whatever is wrong is tried again, since every fault here passes."""
        try:
            await self._watch()
            if self._generation != self._bus.generation or self._subscription is None:
                await self._subscribe(await self._connected())
            if self._wanted <= 0 and len(self._buffer) < 2 * self._batch:
                await self._request()
        except NotFoundError:
            # The source's relay creates its stream as soon as it is up.
            log.info("pull.no_stream", source=self._source, durable=self._durable)
            await self._pause()
        except (nats.errors.Error, APIError, Unavailable, OSError, TimeoutError) as error:
            log.warning("pull.fault", durable=self._durable, error=repr(error))
            await self._pause()

    async def _connected(self) -> Client:
        while not self._bus.connected and not self._closing.is_set() and not self._buffer:
            await self._word()
        return self._bus.client

    async def _pause(self) -> None:
        if not self._buffer:
            await rest(self._closing, RETRY_DELAY)

    async def _subscribe(self, client: Client) -> None:
        if self._subscription is not None and self._generation < 0:
            await self._pause()
        await self._unsubscribe()
        generation = self._bus.generation
        await ensure_durable(self._bus.jetstream, self._source, self._durable, self._subjects, self._batch)
        inbox = client.new_inbox()
        self._subscription = await client.subscribe(f"{inbox}.*", cb=self._deliver)
        self._reply = inbox
        self._wanted = 0
        self._heard = self._progress = monotonic()
        self._generation = generation

    async def _unsubscribe(self) -> None:
        if self._subscription is not None:
            with contextlib.suppress(nats.errors.Error, OSError):
                await self._subscription.unsubscribe()
        self._subscription = None

    async def _request(self) -> None:
        self._number += 1
        self._wanted = self._batch
        self._heard = monotonic()
        body = {
            "batch": self._batch,
            "expires": int(REQUEST_EXPIRES * _SECOND),
            "idle_heartbeat": int(HEARTBEAT * _SECOND),
        }
        await self._bus.client.publish(
            self._next, json.dumps(body).encode(), reply=f"{self._reply}.{self._number}"
        )

    async def _deliver(self, message: Msg) -> None:
        self._heard = monotonic()
        if message.reply:
            self._progress = self._heard
            self._in_vain = 0
            self._wanted -= 1
            self._buffer.append(message)
            self._wake.set()
            return
        status = (message.headers or {}).get("Status")
        if status == "100" or not message.subject.endswith(f".{self._number}"):
            return
        # 408: the request has expired. 409, 503: the consumer is gone, or its server is; look again.
        self._wanted = 0
        if status != "408":
            log.info("pull.ended", durable=self._durable, status=status)
            self._generation = -1
        self._wake.set()

    async def _watch(self) -> None:
        """Starts over when the request is lost, or when messages wait that nobody delivers."""
        if self._subscription is None or self._buffer:
            return
        now = monotonic()
        stalled = self._wanted > 0 and now - self._heard > SILENCE
        if not stalled and now - self._progress > LOOK:
            # Twice, since a message may be on its way at the moment of the look.
            self._progress = now
            self._in_vain = self._in_vain + 1 if await self._waits_in_vain() else 0
            stalled = self._in_vain > 1
        if stalled and not self._buffer:
            log.warning("pull.stalled", durable=self._durable)
            metrics.STALLS.labels(self._durable).inc()
            self._generation = -1

    async def _waits_in_vain(self) -> bool:
        info = await self._bus.jetstream.consumer_info(stream_of(self._source), self._durable)
        pending = info.num_pending or 0
        return pending > 0 and (info.num_ack_pending or 0) < max(self._batch, 1)
