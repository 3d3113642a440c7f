"""The connection to NATS: it comes and goes, and whoever uses it starts and serves without it."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext

from chassis.errors import Unavailable
from chassis.rest import rest

log = structlog.get_logger(__name__)

# Seconds. A half-open connection is found after about three silent pings.
PING_INTERVAL = 4
CONNECT_TIMEOUT = 2
RETRY_DELAY = 0.2
# Deadline of one request to the JetStream API.
API_TIMEOUT = 5.0


class BrokerUnavailable(Unavailable):
    """NATS cannot be reached now."""

    reason = "BROKER_UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class Notice:
    """A message heard on core NATS: at most once, and only while connected."""

    subject: str
    headers: Mapping[str, str]
    data: bytes


Callback = Callable[[Notice], Awaitable[None] | None]


class Listener:
    """One core subscription; the bus renews it on each connection until `close`."""

    def __init__(self, bus: Bus, subject: str, callback: Callback) -> None:
        self._bus = bus
        self._subject = subject
        self._callback = callback
        self._client: Client | None = None
        self._subscription: Subscription | None = None

    async def subscribe(self, client: Client) -> None:
        """Subscribes on this connection unless it has; the bus calls it."""
        if self._client is client:
            return
        self._client = client
        self._subscription = await client.subscribe(self._subject, cb=self._deliver)

    async def close(self) -> None:
        """Stops listening."""
        self._bus.forget(self)
        if self._subscription is not None:
            with contextlib.suppress(nats.errors.Error):
                await self._subscription.unsubscribe()

    async def _deliver(self, message: Msg) -> None:
        answer = self._callback(Notice(message.subject, message.headers or {}, message.data))
        if inspect.isawaitable(answer):
            await answer


class Bus:
    """A connection to NATS that is renewed for ever.

    Each connection is a fresh nats-py client with its own reconnecting switched off: nats-py's
    reconnect keeps stale pull requests and unanswered futures, and ends for good on errors it does
    not expect. What hangs on a connection compares `generation` and renews itself.
    """

    def __init__(self, url: str, *, name: str = "wrtn") -> None:
        self._url = url
        self._name = name
        self._client: Client | None = None
        self._changed = asyncio.Condition()
        self._listeners: list[Listener] = []
        self._task: asyncio.Task[None] | None = None
        self._subscribing: set[asyncio.Task[None]] = set()
        self._closing = False
        self.generation = 0

    @classmethod
    async def connect(cls, url: str, *, name: str = "wrtn") -> Bus:
        """Starts connecting and answers at once, NATS up or down. `name` is shown in NATS' monitoring."""
        bus = cls(url, name=name)
        bus._task = asyncio.create_task(bus._run(), name="bus")
        return bus

    @property
    def connected(self) -> bool:
        """Whether NATS is reachable at this moment, as far as is known."""
        return self._client is not None and self._client.is_connected

    @property
    def alive(self) -> bool:
        """Whether the bus still renews its connection; false fails liveness."""
        return self._task is not None and not self._task.done()

    @property
    def client(self) -> Client:
        """Answers the connected client. Raises BrokerUnavailable while there is none."""
        if self._client is None or not self._client.is_connected:
            raise BrokerUnavailable("The message broker cannot be reached.", retry_after=1)
        return self._client

    @property
    def jetstream(self) -> JetStreamContext:
        """Answers JetStream on the connected client. Raises BrokerUnavailable while there is none."""
        return self.client.jetstream(timeout=API_TIMEOUT)

    async def ready(self) -> Client:
        """Waits until NATS is connected."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.connected)
        return self.client

    def listen(self, subject: str, callback: Callback) -> Listener:
        """Hears a subject (wildcards allowed) on core NATS, from now or the next connection on.

        The callback may be plain or async; callbacks of one listener run one after the other. What
        is published while disconnected is not heard: keep a bound (a TTL) for that.
        """
        listener = Listener(self, subject, callback)
        self._listeners.append(listener)
        if self.connected:
            task = asyncio.create_task(listener.subscribe(self.client))
            self._subscribing.add(task)
            task.add_done_callback(self._subscribing.discard)
        return listener

    def forget(self, listener: Listener) -> None:
        """Takes the listener off the list of those to renew."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    async def publish(self, subject: str, data: bytes, headers: dict[str, str] | None = None) -> None:
        """Publishes on core NATS: at most once, never stored. Raises BrokerUnavailable while disconnected."""
        try:
            await self.client.publish(subject, data, headers=headers)
        except (nats.errors.ConnectionClosedError, nats.errors.OutboundBufferLimitError) as error:
            raise BrokerUnavailable("The message broker cannot be reached.", retry_after=1) from error

    async def close(self) -> None:
        """Sends what is buffered, then closes for good."""
        self._closing = True
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._client is not None:
            with contextlib.suppress(TimeoutError, nats.errors.Error, OSError):
                await asyncio.wait_for(self._client.flush(timeout=1), 2)
            await _dispose(self._client)
            self._client = None

    async def _run(self) -> None:
        # nats-py waits by asyncio.wait_for, which may swallow the cancellation by `close` (chassis/rest.py).
        while not self._closing:
            lost = asyncio.Event()
            client = await self._open(lost)
            if client is None:
                await asyncio.sleep(RETRY_DELAY)
                continue
            with contextlib.suppress(nats.errors.Error, OSError):
                await self._announce(client)
            # `is_closed` turns true before nats-py's callback, which a dead socket may hold up.
            while not client.is_closed and not self._closing:
                await rest(lost, 0.5)
            log.warning("bus.lost", name=self._name)
            self._client = None
            await _dispose(client)

    async def _open(self, lost: asyncio.Event) -> Client | None:
        async def closed() -> None:
            lost.set()

        client = Client()
        try:
            await asyncio.wait_for(
                client.connect(
                    self._url,
                    name=self._name,
                    allow_reconnect=False,
                    connect_timeout=CONNECT_TIMEOUT,
                    reconnect_time_wait=RETRY_DELAY,  # type: ignore[arg-type]  # used as seconds, floats too
                    ping_interval=PING_INTERVAL,
                    error_cb=_on_error,
                    closed_cb=closed,
                ),
                2 * CONNECT_TIMEOUT,
            )
        except (OSError, TimeoutError, nats.errors.Error):
            await _dispose(client)
            return None
        except asyncio.CancelledError:
            await _dispose(client)
            raise
        return client

    async def _announce(self, client: Client) -> None:
        self._client = client
        self.generation += 1
        log.info("bus.connected", name=self._name, generation=self.generation)
        for listener in list(self._listeners):
            await listener.subscribe(client)
        async with self._changed:
            self._changed.notify_all()


async def _on_error(error: Exception) -> None:
    log.debug("bus.error", error=repr(error))


async def _dispose(client: Client) -> None:
    with contextlib.suppress(TimeoutError, nats.errors.Error, OSError):
        await asyncio.wait_for(client.close(), 2)
