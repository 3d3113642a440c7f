"""Puts the gateway together: the transcoder, and beside it health and documentation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import documentation
from gateway.backends import Backends
from gateway.exchange import SECURITY
from gateway.metrics import Metrics
from gateway.schema import Schema, SchemaError
from gateway.settings import Settings
from gateway.transcoder import Transcoder

EXPOSED = (
    "x-request-id",
    "retry-after",
    "ratelimit",
    "ratelimit-policy",
    "etag",
    "location",
    "content-range",
    "content-disposition",
    "link",
)


class Gateway:
    """The ASGI application. Its channels belong to the running loop: make it there, and close it."""

    def __init__(self, settings: Settings) -> None:
        schema = Schema.load(settings.descriptor_set)
        bindings = schema.bindings()
        self.backends = Backends(settings.backends, bindings)
        served = [
            each for each in bindings if self.backends.channel(each.method.parent.type_name) is not None
        ]
        if not served:
            names = ", ".join(name for name, _ in settings.backends)
            raise SchemaError(f"no HTTP rule of the descriptor set belongs to a backend ({names})")
        self.metrics = Metrics()
        self.draining = False
        self._pages = {"/healthz", "/readyz"}
        routes: list[BaseRoute] = [Route("/healthz", _alive), Route("/readyz", self._ready)]
        if settings.docs:
            pages = documentation.routes(schema, served, settings)
            routes += pages
            self._pages |= {page.path for page in pages}
        self._transcoder = Transcoder(schema, served, self.backends, settings, self.metrics)
        self._api = _with_cors(self._transcoder, settings)
        self._own = _with_cors(Starlette(routes=routes), settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves our own pages by exact path, everything else by the transcoder."""
        if scope["type"] == "http":
            self.metrics.active += 1
            try:
                await (self._own if scope["path"] in self._pages else self._api)(scope, receive, send)
            finally:
                self.metrics.active -= 1

    async def close(self) -> None:
        """Closes the channels, and the connections of the limits."""
        await self._transcoder.close()
        await self.backends.close()

    async def _ready(self, _: Request) -> Response:
        """200 while every backend serves and no shutdown has begun, else 503."""
        health = await self.backends.health()
        ready = not self.draining and all(state == "serving" for state in health.values())
        body = {"ready": ready, "draining": self.draining, "backends": health}
        return JSONResponse(body, 200 if ready else 503, headers=_headers())


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Gateway]:
    """The gateway, closed at the end."""
    gateway = Gateway(settings)
    try:
        yield gateway
    finally:
        await gateway.close()


async def _alive(_: Request) -> Response:
    return JSONResponse({"alive": True}, headers=_headers())


def _headers() -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in SECURITY} | {"cache-control": "no-store"}


def _with_cors(app: ASGIApp, settings: Settings) -> ASGIApp:
    if not settings.cors_origins:
        return app
    anybody = "*" in settings.cors_origins
    return CORSMiddleware(
        app,
        allow_origins=settings.cors_origins,
        allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=[
            "authorization",
            "content-type",
            "idempotency-key",
            "if-match",
            "if-none-match",
            "range",
            "x-request-id",
            "x-request-timeout",
            "x-csrf-token",
            "last-event-id",
            "traceparent",
        ],
        # Credentials are never combined with any origin: cookies would be readable from everywhere.
        allow_credentials=not anybody,
        expose_headers=EXPOSED,
        max_age=600,
    )
