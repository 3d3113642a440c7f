"""Access tokens of the websocket server's service credential."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

import httpx

Tokens = Callable[[bool], Awaitable[str]]
"""Answers an access token, a fresh one if asked for; asked again whenever a stream opens. Raises OSError if
none can be had now."""

MARGIN_SECONDS = 60
"""How long before its end a token is exchanged."""


def service_tokens(client: httpx.AsyncClient, credential_id: str, secret: str) -> Tokens:
    """Tokens from the gateway that `client` has as its base; one is kept until shortly before it expires.

    Asking raises ConnectionError if the gateway gives none.
    """
    token, until = "", 0.0
    asking = asyncio.Lock()

    async def answer(fresh: bool) -> str:
        nonlocal token, until
        async with asking:
            if fresh or time.time() > until:
                given = await _issued(client, credential_id, secret)
                token = given["accessToken"]
                until = datetime.fromisoformat(given["accessExpireTime"]).timestamp() - MARGIN_SECONDS
            return token

    return answer


async def _issued(client: httpx.AsyncClient, credential_id: str, secret: str) -> dict[str, str]:
    body = {"credentialId": credential_id, "secret": secret}
    try:
        response = await client.post("/v1/auth:issueServiceToken", json=body)
        given: dict[str, str] = response.raise_for_status().json()
    except httpx.HTTPError as fault:
        raise ConnectionError(f"the gateway gave no service token: {fault}") from fault
    return given
