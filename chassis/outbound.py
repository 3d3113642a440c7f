"""Requests to addresses that customers name: never to anything inside, and never for long.

A name is resolved here, every address of it is checked, and the connection goes to the very address that
was checked: a name that answers differently a moment later changes nothing. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpcore2
from dns.asyncresolver import Resolver
from dns.exception import DNSException
from dns.name import from_text
from dns.resolver import NXDOMAIN

from chassis.inside import Address, is_inside

PORTS = frozenset((443, 8443))
"""Where requests may go: https, nothing else that may listen behind a public address."""
_CONNECT_SECONDS = 5.0
_MOST_TRIED = 3
"""How many addresses of a name are tried."""


class OutboundRefused(Exception):
    """The request may not be made. `reason`: HTTPS_ONLY, PORT, HOST, CREDENTIALS or ADDRESS_INSIDE."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class OutboundFailed(Exception):
    """No whole answer came. `reason`: NAME_UNKNOWN, NAME_UNANSWERED, CONNECT, TLS, TIMEOUT or PROTOCOL."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name; of several with one name the last."""
    body: bytes
    """Its beginning, if it was longer than asked for. Not decoded: ask for no encoding."""
    complete: bool


@cache
def authorities() -> ssl.SSLContext:
    """The certificate authorities of this machine, read once: it takes tens of milliseconds."""
    return ssl.create_default_context()


class Outbound:
    """Makes guarded requests, a connection each. With `inside` it guards nothing: for local runs and tests.

    `trust` replaces the machine's certificate authorities.
    """

    def __init__(
        self, resolver: Resolver, *, inside: bool = False, trust: ssl.SSLContext | None = None
    ) -> None:
        self._inside = inside
        backend = _CheckedConnections(resolver, inside=inside)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=trust or authorities(),
            max_connections=None,
            max_keepalive_connections=0,
            network_backend=backend,
        )

    def check(self, url: str) -> None:
        """Raises OutboundRefused if the URL alone says that it may not be asked; asks nobody."""
        self._parsed(url)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        seconds: float = 15.0,
        most_bytes: int = 64 * 1024,
    ) -> Answer:
        """Sends one request; answers in `seconds` at most, with `most_bytes` of the body.

        Any status is an answer, redirects too. Raises OutboundRefused and OutboundFailed.
        """
        parsed = self._parsed(url)
        target = httpcore2.URL(
            scheme=parsed.scheme.encode(),
            host=_host(parsed).encode(),
            port=parsed.port,
            target=(parsed.path or "/").encode() + (f"?{parsed.query}".encode() if parsed.query else b""),
        )
        sent = [("Host", parsed.netloc.rpartition("@")[2]), *(headers or {}).items()]
        if content:
            sent.append(("Content-Length", str(len(content))))
        with _translated():
            async with asyncio.timeout(seconds):
                async with self._pool.stream(
                    method,
                    target,
                    headers=[(name.encode(), value.encode()) for name, value in sent],
                    content=content,
                    extensions={"timeout": {"connect": _CONNECT_SECONDS}},
                ) as response:
                    body, complete = await _read(response.aiter_stream(), most_bytes)
                    found = {
                        name.decode().lower(): value.decode("latin-1") for name, value in response.headers
                    }
                    return Answer(response.status, found, body, complete)

    async def close(self) -> None:
        """Closes what is open."""
        await self._pool.aclose()

    def _parsed(self, url: str) -> SplitResult:
        if not url.isascii() or any(each <= " " for each in url):
            raise OutboundRefused("HOST")
        try:
            parsed = urlsplit(url)
            port, host = parsed.port or 443, _host(parsed)
        except ValueError as error:
            raise OutboundRefused("HOST") from error
        if parsed.username is not None or parsed.password is not None:
            raise OutboundRefused("CREDENTIALS")
        if not (self._inside and parsed.scheme in ("http", "https")):
            _require_public(parsed.scheme, host, port)
        return parsed


def _require_public(scheme: str, host: str, port: int) -> None:
    """Raises OutboundRefused for what can be no public place, whatever the DNS will say."""
    literal = _literal(host)
    if scheme != "https":
        raise OutboundRefused("HTTPS_ONLY")
    if port not in PORTS:
        raise OutboundRefused("PORT")
    if literal is not None and is_inside(literal):
        raise OutboundRefused("ADDRESS_INSIDE")
    if literal is None and "." not in host:
        raise OutboundRefused("HOST")


class _CheckedConnections(httpcore2.AsyncNetworkBackend):
    """Connects to addresses that were checked, and to nothing else."""

    def __init__(self, resolver: Resolver, *, inside: bool) -> None:
        self._resolver = resolver
        self._inside = inside
        self._plain = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the backend's own interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Resolves, checks every address, connects to the first that answers."""
        addresses = await self._addresses(host)
        if not self._inside and any(map(is_inside, addresses)):
            raise OutboundRefused("ADDRESS_INSIDE")
        failure: Exception = OutboundFailed("CONNECT")
        for address in addresses[:_MOST_TRIED]:
            try:
                return await self._plain.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _addresses(self, host: str) -> list[Address]:
        literal = _literal(host)
        if literal is not None:
            return [literal]
        found = await asyncio.gather(self._ask(host, "A"), self._ask(host, "AAAA"))
        addresses = [address for each in found for address in each]
        if not addresses:
            raise OutboundFailed("NAME_UNKNOWN")
        return addresses

    async def _ask(self, host: str, kind: str) -> list[Address]:
        try:
            answer = await self._resolver.resolve(from_text(host), kind, raise_on_no_answer=False)
        except NXDOMAIN:
            return []
        except DNSException as error:
            raise OutboundFailed("NAME_UNANSWERED") from error
        return [ip_address(record.to_text()) for record in answer]


def _host(parsed: SplitResult) -> str:
    """Answers the host; raises ValueError for none."""
    if not parsed.hostname:
        raise ValueError("no host")
    return parsed.hostname


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _headers(found: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in found}


async def _read(chunks: AsyncIterator[bytes], most: int) -> tuple[bytes, bool]:
    body = b""
    async for chunk in chunks:
        body += chunk
        if len(body) > most:
            return body[:most], False
    return body, True


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Tells failures of the network apart by their reasons."""
    try:
        yield
    except (TimeoutError, httpcore2.TimeoutException) as error:
        raise OutboundFailed("TIMEOUT") from error
    except httpcore2.ConnectError as error:
        secure = isinstance(error.__cause__ or error.__context__, ssl.SSLError)
        raise OutboundFailed("TLS" if secure else "CONNECT") from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
        raise OutboundFailed("PROTOCOL") from error
