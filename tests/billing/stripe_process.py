"""Stripe for tests: localstripe, with what it lacks of Stripe, and faults on demand.

`python -m tests.billing.stripe_process` prints its port. It adds keys of idempotency, lists of PaymentIntents
by customer, events of their end, and at /_config/faults the fault of the next requests that change something:

- "lose": the request takes effect and its answer is lost;
- "drop": the request is lost, and has no effect.

What is put at /_config/disputes are the disputes that there are.
At /_config/refunds is said how all refunds stand: "pending", as those of banks are for days.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web
from localstripe import resources, server
from localstripe.webhooks import schedule_webhook

Handler = Any
_faults: list[str] = []
_answers: dict[str, tuple[int, bytes]] = {}
_told: set[str] = set()
_disputes: dict[str, dict[str, Any]] = {}
_refunds = ["succeeded"]


@web.middleware
async def _telling(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Sends the event of each PaymentIntent that ended with the request."""
    answer: web.StreamResponse = await handler(request)
    for intent in _all_intents():
        if intent.status in ("succeeded", "canceled") and intent.id not in _told:
            _told.add(intent.id)
            schedule_webhook(resources.Event(f"payment_intent.{intent.status}", intent))
    return answer


@web.middleware
async def _faulty(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answers a repeated key as before; loses requests and answers that are to be lost."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return await handler(request)  # type: ignore[no-any-return]
    fault = _faults.pop(0) if _faults else ""
    if fault == "drop":
        return _broken(request)
    if key not in _answers:
        answer = await handler(request)
        _answers[key] = (answer.status, answer.body)
    status, body = _answers[key]
    if fault == "lose":
        return _broken(request)
    return web.Response(status=status, body=body, content_type="application/json")


def _broken(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def _set_faults(request: web.Request) -> web.Response:
    _faults[:] = await request.json()
    return web.Response()


async def _set_dispute(request: web.Request) -> web.Response:
    dispute = await request.json()
    _disputes[dispute["id"]] = dispute
    return web.Response()


async def _dispute(request: web.Request) -> web.Response:
    return web.json_response(_disputes[request.match_info["id"]])


async def _list_disputes(request: web.Request) -> web.Response:
    since = int(request.query["created[gte]"])
    begun = [each for each in _disputes.values() if each.get("created", 0) >= since]
    return web.json_response({"object": "list", "data": begun, "has_more": False})


async def _set_refunds(request: web.Request) -> web.Response:
    _refunds[0] = await request.json()
    return web.Response()


def _refund(*args: Any, **kwargs: Any) -> dict[str, Any]:
    return {**_exported(*args, **kwargs), "status": _refunds[0]}


_exported = resources.Refund._export
resources.Refund._export = _refund


async def _intents(request: web.Request) -> web.Response:
    wanted = request.query.get("customer")
    mine = [each._export() for each in _all_intents() if wanted in (None, each.customer)]
    return web.json_response({"object": "list", "data": mine, "has_more": False})


def _all_intents() -> list[Any]:
    return [each for key, each in list(resources.store.items()) if key.startswith("payment_intent:")]


def _app() -> web.Application:
    made = web.Application(middlewares=[_telling, _faulty, server.error_middleware, server.auth_middleware])
    made.router.add_post("/_config/faults", _set_faults)
    made.router.add_post("/_config/disputes", _set_dispute)
    made.router.add_get("/v1/disputes/{id}", _dispute)
    made.router.add_get("/v1/disputes", _list_disputes)
    made.router.add_post("/_config/refunds", _set_refunds)
    made.router.add_get("/v1/payment_intents", _intents)
    for resource in list(server.app.router.resources()):
        for route in resource:
            if route.method in ("GET", "POST", "DELETE") and resource.canonical:
                _add(made, route.method, resource.canonical, route.handler)
    return made


def _add(made: web.Application, method: str, path: str, handler: Handler) -> None:
    if (method, path) != ("GET", "/v1/payment_intents"):
        made.router.add_route(method, path, handler)


async def _main() -> None:
    runner = web.AppRunner(_app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)  # type: ignore[union-attr]
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
