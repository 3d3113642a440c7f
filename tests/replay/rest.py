"""The REST client: every call is repeated, with its idempotency key, until the suite has answered."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

PATIENCE_SECONDS = 120
START_SECONDS = 15
LONGEST_PAUSE_SECONDS = 2.0
PASSING = {408, 429, 503, 504}


class Refused(Exception):
    """The suite refused a call; the problem document says why."""

    def __init__(self, method: str, path: str, answer: httpx.Response) -> None:
        super().__init__(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        self.status = answer.status_code
        body = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        self.reason = str(body.get("reason", ""))


@dataclass
class Rest:
    """Calls the gateway at `base`."""

    base: str
    _client: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        limits = httpx.Limits(max_connections=64)
        self._client = httpx.AsyncClient(base_url=self.base, timeout=15, trust_env=False, limits=limits)

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def reach(self) -> None:
        """Returns when the gateway answers; raises TimeoutError that says what to do if it does not soon."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.TransportError):
                await self._client.get("/healthz")
                return
            await asyncio.sleep(LONGEST_PAUSE_SECONDS / 4)
        raise TimeoutError(f"nothing answers at {self.base}: start the suite with `make run`")

    async def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        key: str | None = None,
        body: Mapping[str, object] | None = None,
        params: dict[str, Any] | None = None,
    ) -> Any:
        """Answers the JSON of the response. Raises Refused, or TimeoutError after two minutes of faults."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if key:
            headers["Idempotency-Key"] = key
        deadline, pause = time.monotonic() + PATIENCE_SECONDS, 0.05
        while True:
            try:
                answer = await self._client.request(method, path, headers=headers, json=body, params=params)
                if answer.is_success:
                    return answer.json() if answer.content else {}
                if answer.status_code not in PASSING:
                    raise Refused(method, path, answer)
                fault = f"{answer.status_code} {answer.text[:300]}"
            except httpx.TransportError as problem:
                fault = repr(problem)
            if time.monotonic() > deadline:
                raise TimeoutError(f"{method} {path} for {PATIENCE_SECONDS} s: {fault}")
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
