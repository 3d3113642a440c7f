"""The small HTTP port beside gRPC: /metrics for Prometheus, /healthz and /readyz for who supervises."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from chassis.settings import SettingsError

Check = Callable[[], Awaitable[str]]
"""Answers what is wrong, in a few words; empty if all is well."""

_PATIENCE = 5.0


class HttpPort:
    """Answers GET on three paths, HTTP/1.1, one request a connection."""

    def __init__(self, alive: Check, ready: Check) -> None:
        self._checks = {"/healthz": alive, "/readyz": ready}
        self._server: asyncio.Server | None = None

    async def start(self, address: str) -> int:
        """Listens on "host:port" and answers the port; raises SettingsError if it is taken."""
        host, _, port = address.rpartition(":")
        try:
            self._server = await asyncio.start_server(
                self._serve, host.strip("[]"), int(port), limit=16 * 1024
            )
        except (OSError, ValueError) as error:
            raise SettingsError(
                [f"WRTN_METRICS_ADDRESS: cannot listen on {address}; is it taken?"]
            ) from error
        found: int = self._server.sockets[0].getsockname()[1]
        return found

    async def stop(self) -> None:
        """Stops listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(await self._answer(head.split(b"\r\n", 1)[0].decode("latin-1")))
                await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async def _answer(self, line: str) -> bytes:
        method, _, rest = line.partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        if method not in ("GET", "HEAD"):
            return _response("405 Method Not Allowed", "only GET is answered here\n")
        if path == "/metrics":
            return _response("200 OK", generate_latest().decode(), CONTENT_TYPE_LATEST)
        check = self._checks.get(path)
        if check is None:
            return _response("404 Not Found", "there are /metrics, /healthz and /readyz\n")
        wrong = await check()
        return _response("503 Service Unavailable", f"{wrong}\n") if wrong else _response("200 OK", "ok\n")


def _response(status: str, text: str, kind: str = "text/plain; charset=utf-8") -> bytes:
    body = text.encode()
    head = (
        f"HTTP/1.1 {status}",
        f"content-type: {kind}",
        f"content-length: {len(body)}",
        "connection: close",
    )
    return "\r\n".join((*head, "", "")).encode() + body
