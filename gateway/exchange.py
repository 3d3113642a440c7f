"""One HTTP request and its response, over the ASGI callables."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from starlette.types import Receive, Scope, Send

from gateway.headers import request_id
from gateway.problems import Problem, refused

BODY_SECONDS = 60.0
"""How long a whole JSON body may take to come, and the longest pause within a streamed one."""
DISCARDED_BYTES = 16 * 1024 * 1024
DISCARDED_SECONDS = 5.0
"""How much of a refused body is still read, and for how long, so that its sender comes to read why."""

RawHeader = tuple[bytes, bytes]

SECURITY: tuple[RawHeader, ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-site"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
HSTS: RawHeader = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")


class Gone(Exception):
    """The client went away; nobody is left to answer."""


class Exchange:
    """Reads the request, writes the response, and knows whether it has begun."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, always: Sequence[RawHeader]) -> None:
        self.scope = scope
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.method: str = scope["method"]
        self.id = request_id(self.headers)
        self.status = 0
        self.extra: list[RawHeader] = [(b"x-request-id", self.id.encode()), *always]
        self._receive = receive
        self._receiving = asyncio.Lock()
        self._waits = b"expect" in self.headers
        """Whether the client sends its body only once it is asked for."""
        self._ended = self.headers.get(b"content-length") == b"0" or not (
            b"content-length" in self.headers or b"transfer-encoding" in self.headers
        )
        self._send = send

    async def gone(self) -> None:
        """Returns when the client has closed the connection."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def body(self, limit: int) -> bytes:
        """Reads the whole body. Raises Problem (413, 408) or Gone."""
        self.check_length(limit)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return b"".join([part async for part in self._parts(limit)])
        except TimeoutError:
            raise _too_slow() from None

    async def chunks(self, limit: int) -> AsyncIterator[bytes]:
        """Yields the parts of the body as they come. Raises Problem (413, 408) or Gone."""
        self.check_length(limit)
        parts = self._parts(limit)
        while True:
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    part = await anext(parts, None)
            except TimeoutError:
                raise _too_slow() from None
            if part is None:
                return
            if part:
                yield part

    def check_length(self, limit: int) -> None:
        """Refuses a body that says beforehand that it is too long."""
        length = self.headers.get(b"content-length", b"0")
        if length.isdigit():
            _bounded(int(length[:20]), limit)

    async def _parts(self, limit: int) -> AsyncIterator[bytes]:
        size, more = 0, True
        while more:
            part, more = await self._part()
            size += len(part)
            _bounded(size, limit)
            yield part

    async def _part(self) -> tuple[bytes, bool]:
        """Answers the next part of the body, and whether more comes. Raises Gone."""
        # A call that is over may still have its reader in here.
        async with self._receiving:
            if self._ended:
                return b"", False
            self._waits = False
            message = await self._receive()
            if message["type"] != "http.request":
                self._ended = True
                raise Gone
            self._ended = not message.get("more_body", False)
            return message.get("body", b""), not self._ended

    async def _discard(self) -> None:
        """Reads on for a while what the client is still sending.

        A connection that is closed with bytes unread is reset, and takes the answer with it. Who waits to be
        asked for the body has sent nothing.
        """
        if self._waits:
            return
        size = 0
        with suppress(TimeoutError, Gone):
            async with asyncio.timeout(DISCARDED_SECONDS):
                while not self._ended and size < DISCARDED_BYTES:
                    size += len((await self._part())[0])

    async def start(self, status: int, headers: Sequence[RawHeader]) -> None:
        """Sends the status line and the headers."""
        self.status = status
        await self._send(
            {"type": "http.response.start", "status": status, "headers": [*headers, *self._unsaid(headers)]}
        )

    def _unsaid(self, headers: Sequence[RawHeader]) -> list[RawHeader]:
        """Answers the standing headers that the service has not set otherwise."""
        if len(headers) <= 2:
            return self.extra
        said = {name for name, _ in headers}
        return [pair for pair in self.extra if pair[0] not in said]

    async def send(self, data: bytes, more: bool) -> None:
        """Sends a part of the body; waits while the client is slow."""
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def respond(self, status: int, headers: Sequence[RawHeader], body: bytes) -> None:
        """Sends a whole response. HEAD gets the headers alone, 204 and 304 have no body."""
        if status in (204, 304):
            await self.start(status, [pair for pair in headers if pair[0] != b"content-type"])
            body = b""
        else:
            await self.start(status, [*headers, (b"content-length", b"%d" % len(body))])
        await self.send(b"" if self.method == "HEAD" else body, more=False)

    async def refuse(self, problem: Problem) -> None:
        """Sends a problem document, unless the response has begun."""
        if not self.status:
            await self._discard()
            headers = [
                (b"content-type", problem.content_type),
                (b"cache-control", b"no-store"),
                *problem.headers,
            ]
            await self.respond(problem.status, headers, problem.body(self.id))


def _too_slow() -> Problem:
    close = [(b"connection", b"close")]
    return refused(408, "BODY_TOO_SLOW", f"The body did not come within {BODY_SECONDS:g} s.", close)


def _bounded(size: int, limit: int) -> None:
    if size > limit:
        # Such a body may not be read to its end, and then the connection cannot be used again.
        close = [(b"connection", b"close")]
        raise refused(413, "BODY_TOO_LARGE", f"The body is longer than {limit} bytes.", close)
