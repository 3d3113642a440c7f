"""Stripe's HTTP API: forms in, JSON out, each change under a key of idempotency."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import structlog

from chassis.outbound import Answer, Outbound, OutboundFailed, OutboundRefused
from services.billing.payments.providers import ProviderSilent

VERSION = "2024-06-20"
"""The version of the API whose objects are read here, whatever the account's own is."""

_SECONDS = 8.0
"""Shorter than the deadline of a call, so that a slow answer leaves time to say that it is under way."""
_MOST_BYTES = 1024 * 1024
_UNSAID = frozenset({401, 403, 409, 429})
"""Refusals that say nothing of the money: our key, a twin of the request under way, too many requests."""

_log = structlog.get_logger(__name__)

Object = Mapping[str, Any]


class StripeRefused(Exception):
    """Stripe refuses the request for good. `failure` is its own word for why, `payload` its whole error."""

    def __init__(self, status: int, failure: str, payload: Object) -> None:
        super().__init__(failure)
        self.status = status
        self.failure = failure
        self.payload = payload


@dataclass(frozen=True, slots=True)
class StripeKeys:
    """What the account is used with."""

    url: str
    secret_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    publishable_key: str


class Api:
    """Calls Stripe."""

    def __init__(self, outbound: Outbound, keys: StripeKeys) -> None:
        self._outbound = outbound
        self._url = keys.url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {keys.secret_key}", "Stripe-Version": VERSION}

    async def get(self, path: str, **query: str) -> Object:
        """Answers an object or a list. Raises StripeRefused and ProviderSilent."""
        return await self._call("GET", f"{path}?{urlencode(query)}" if query else path)

    async def post(self, path: str, form: Mapping[str, str], key: str) -> Object:
        """Makes or changes an object; the same key has one effect for a day. Raises as `get`."""
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Idempotency-Key": key}
        return await self._call("POST", path, headers, urlencode(form).encode())

    async def _call(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, content: bytes = b""
    ) -> Object:
        try:
            answer = await self._outbound.request(
                method,
                f"{self._url}/v1/{path}",
                headers={**self._headers, **(headers or {})},
                content=content,
                seconds=_SECONDS,
                most_bytes=_MOST_BYTES,
            )
        except (OutboundFailed, OutboundRefused) as error:
            raise ProviderSilent(error.reason) from error
        return _read(answer)


def _read(answer: Answer) -> Object:
    """Answers the object; raises StripeRefused for what is refused for good, else ProviderSilent."""
    try:
        found = json.loads(answer.body)
    except ValueError as error:
        raise ProviderSilent(f"HTTP_{answer.status}") from error
    if answer.status < 300 and isinstance(found, dict):
        return found
    refusal: Object = found.get("error", {}) if isinstance(found, dict) else {}
    if not 400 <= answer.status < 500 or answer.status in _UNSAID:
        _log.warning("stripe_unsaid", status=answer.status, code=refusal.get("code"))
        raise ProviderSilent(f"HTTP_{answer.status}")
    raise StripeRefused(answer.status, refusal.get("code") or refusal.get("type") or "refused", refusal)
