"""One HTTP request and its response, over the ASGI callables."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from starlette.types import Receive, Scope, Send

from gateway.headers import request_id
from gateway.problems import Problem, refused

BODY_SECONDS = 60.0
"""How long a whole JSON body may take to come, and the longest pause within a streamed one."""

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
            message = await self._receive()
            if message["type"] != "http.request":
                raise Gone
            part, more = message.get("body", b""), message.get("more_body", False)
            size += len(part)
            _bounded(size, limit)
            yield part

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
        # Nothing more is read of such a body, so the connection cannot be used again.
        close = [(b"connection", b"close")]
        raise refused(413, "BODY_TOO_LARGE", f"The body is longer than {limit} bytes.", close)
