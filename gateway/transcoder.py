"""The ASGI application that turns HTTP requests into RPCs: find the route, check limits, call, answer."""

from __future__ import annotations

import time
from collections.abc import Iterable

import structlog
from starlette.types import Receive, Scope, Send

from gateway import streaming, unary
from gateway.backends import Backends
from gateway.endpoint import Endpoint
from gateway.exchange import HSTS, SECURITY, Exchange, Gone
from gateway.headers import client_address
from gateway.limiting import Limiter
from gateway.metrics import Metrics
from gateway.problems import Problem, refused
from gateway.router import Router
from gateway.schema import Binding, Schema, SchemaError
from gateway.settings import Settings

log = structlog.get_logger("gateway")
CLIENT_CLOSED = 499


class Transcoder:
    """Serves every binding whose service has a backend."""

    def __init__(
        self,
        schema: Schema,
        bindings: Iterable[Binding],
        backends: Backends,
        settings: Settings,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._limiter = Limiter(settings)
        self._metrics = metrics
        self._always = (*SECURITY, HSTS) if settings.hsts else SECURITY
        self._router: Router[Endpoint] = Router()
        for binding in bindings:
            channel = backends.channel(binding.method.parent.type_name)
            if channel is None:
                continue
            endpoint = Endpoint(binding, channel, schema.registry, settings)
            already = self._router.add(binding.verb, binding.template, endpoint)
            if already is not None:
                first = already.binding.method
                raise SchemaError(
                    f"{binding.method} and {first} both claim {binding.verb} {binding.template.text}"
                )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request; whatever goes wrong is answered as a problem document."""
        began = time.perf_counter()
        exchange = Exchange(scope, receive, send, self._always)
        endpoint = None
        try:
            endpoint, segments = self._route(exchange)
            address = client_address(exchange.headers, scope.get("client"), self._settings.trusted_proxies)
            await self._limiter.check(exchange.headers, address, endpoint.rpc_path, endpoint.route_class)
            if endpoint.answer_stream:
                await streaming.serve(endpoint, exchange, segments)
            else:
                await unary.serve(endpoint, exchange, segments)
        except Problem as problem:
            await exchange.refuse(problem)
            self._note(exchange, endpoint, problem)
        except Gone:
            exchange.status = CLIENT_CLOSED
        except streaming.Truncated:
            raise
        except Exception:
            # The edge: whatever is wrong in here or with a response is logged whole, and answered without
            # its text.
            log.exception("failed", rpc=endpoint.rpc_path if endpoint is not None else "", id=exchange.id)
            if exchange.status:
                raise
            await exchange.refuse(Problem(500, "INTERNAL", "The gateway failed to answer this request."))
        finally:
            rpc = endpoint.rpc_path if endpoint is not None else ""
            seconds = time.perf_counter() - began
            self._metrics.observe(rpc, exchange.status, seconds)
            if self._settings.access_log:
                log.info(
                    "request", rpc=rpc, status=exchange.status, seconds=round(seconds, 6), id=exchange.id
                )

    async def close(self) -> None:
        """Closes what the limits hold open."""
        await self._limiter.close()

    def _route(self, exchange: Exchange) -> tuple[Endpoint, list[str]]:
        """Finds the endpoint. Raises Problem (404, 405, and 204 with Allow for OPTIONS)."""
        path = exchange.scope["raw_path"].decode("latin-1")
        method = "GET" if exchange.method == "HEAD" else exchange.method
        match = self._router.find(method, path)
        if match is None:
            raise refused(404, "NO_SUCH_PATH", "Nothing is served at this path.")
        if match.found is None:
            allowed = match.allowed | {"OPTIONS"} | ({"HEAD"} if "GET" in match.allowed else set())
            names = ", ".join(sorted(allowed))
            allow = [(b"allow", names.encode())]
            if method == "OPTIONS":
                raise Problem(204, "OK", "", headers=allow)
            raise refused(405, "METHOD_NOT_ALLOWED", f"This path takes {names}, not {method[:20]}.", allow)
        return match.found, match.segments

    def _note(self, exchange: Exchange, endpoint: Endpoint | None, problem: Problem) -> None:
        """Logs a failure by its code and reason; never what the client or the service wrote."""
        if problem.status >= 400:
            write = log.error if problem.status >= 500 else log.info
            rpc = endpoint.rpc_path if endpoint is not None else ""
            write(
                "refused",
                rpc=rpc,
                status=problem.status,
                code=problem.code,
                reason=problem.reason,
                id=exchange.id,
            )
