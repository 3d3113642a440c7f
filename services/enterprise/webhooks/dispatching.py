"""Sends what is due to webhook endpoints, in the background of every replica.

A delivery leaves at least once: it is claimed, sent, and then settled. Who dies between leaves it to the next
claim. Each endpoint has few in hand at once, so that a slow one stops no other.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from uuid import UUID

import structlog
from prometheus_client import Counter

from chassis.crypto import DataKey, KeyDestroyed, Keyring
from chassis.database import Database, Scope
from chassis.errors import DomainError
from chassis.outbound import Answer, Outbound, OutboundFailed, OutboundRefused
from chassis.rest import rest
from services.enterprise.store import (
    Claimed,
    Deliveries,
    WebhookEndpoints,
    claim_deliveries,
    tenants_with_due,
)
from services.enterprise.webhooks import signing, webhooks
from services.enterprise.webhooks.settling import Outcome, Settling

EXCERPT_BYTES = 1000
_CLAIM = timedelta(seconds=60)
_SECONDS = 15.0
_AT_ONCE = 4
"""Deliveries that one endpoint has in hand at once, in each process."""
_LANES = 3
"""Transactions of deliveries at once, in each process."""
_IDLE = 1.0

_log = structlog.get_logger("services.enterprise.webhooks.dispatching")
_sent = Counter("wrtn_webhook_attempts_total", "Attempts to deliver to webhooks, by outcome.", ("outcome",))


@dataclass(frozen=True, slots=True)
class _Message:
    """What is sent where."""

    url: str
    headers: dict[str, str]
    body: bytes
    key: DataKey


class Dispatcher:
    """Sends until it is stopped."""

    def __init__(
        self, db: Database, worker: Database, keyring: Keyring, outbound: Outbound, settling: Settling
    ) -> None:
        self._db = db
        self._worker = worker
        self._keyring = keyring
        self._outbound = outbound
        self._settling = settling
        self._busy: dict[UUID, asyncio.Task[None]] = {}
        self._task: asyncio.Task[None] | None = None
        # So that what answers fast, in many places, leaves the pool's connections to the calls.
        self._lanes = asyncio.Semaphore(_LANES)
        self.queued = asyncio.Event()
        """Set when something was queued in this process, or an endpoint is free again."""

    async def start(self) -> None:
        """Begins in the background."""
        self._task = asyncio.create_task(self._run(), name="webhooks")

    async def stop(self) -> None:
        """Stops at once; what was under way is sent again once its claim is over."""
        tasks = [*self._busy.values(), *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._outbound.close()

    async def _run(self) -> None:
        while True:
            self.queued.clear()
            try:
                await self._begin_due()
            except DomainError as error:
                _log.warning("the deliveries cannot be read", reason=error.reason)
            await rest(self.queued, _IDLE)

    async def _begin_due(self) -> None:
        """Claims what is due to endpoints that have nothing in hand here, and begins to send it."""
        async with self._worker.snapshot(Scope()) as seen:
            tenants = await tenants_with_due(seen, seen.now)
        if not tenants:
            return
        async with self._db.transaction(Scope.of(*tenants)) as tx:
            claimed = await claim_deliveries(tx, self._busy, _AT_ONCE, _CLAIM)
        by_endpoint: dict[UUID, list[Claimed]] = defaultdict(list)
        for each in claimed:
            by_endpoint[each.endpoint_id].append(each)
        for endpoint_id, found in by_endpoint.items():
            self._busy[endpoint_id] = asyncio.create_task(self._send_all(endpoint_id, found))

    async def _send_all(self, endpoint_id: UUID, claimed: Sequence[Claimed]) -> None:
        try:
            outcomes = await asyncio.gather(
                *(self._deliver(each) for each in claimed), return_exceptions=True
            )
            for failure in (each for each in outcomes if isinstance(each, Exception)):
                # It comes again once its claim is over.
                _log.error("a delivery could not be settled", exc_info=failure)
        finally:
            del self._busy[endpoint_id]
            self.queued.set()

    async def _deliver(self, claimed: Claimed) -> None:
        if claimed.overtaken:
            await self._settling.skip(claimed)
            return
        async with self._lanes:
            message = await self._message(claimed)
        if message is None:
            return
        began = monotonic()
        outcome = await self._send(message)
        outcome.milliseconds = int((monotonic() - began) * 1000)
        _sent.labels("taken" if outcome.taken else "failed").inc()
        async with self._lanes:
            await self._settling.settle(claimed, outcome, message.key)

    async def _message(self, claimed: Claimed) -> _Message | None:
        """Answers what to send; None if the endpoint is gone."""
        async with self._db.snapshot(Scope.of(claimed.tenant_id)) as tx:
            endpoint = await WebhookEndpoints(tx, claimed.tenant_id).get(claimed.endpoint_id)
            event = await Deliveries(tx, claimed.tenant_id).event(claimed.event_id)
            if endpoint is None or event is None:
                return None
            try:
                key = await self._keyring.key(tx, claimed.tenant_id)
            except KeyDestroyed:
                return None
            secrets = await webhooks.signing_secrets(tx, key, endpoint, tx.now)
            headers = {
                "content-type": "application/json",
                "user-agent": "wrtn-webhooks",
                "accept-encoding": "identity",
                **signing.headers(secrets, event.id, tx.now, event.body),
            }
            return _Message(webhooks.opened_url(key, endpoint), headers, event.body, key)

    async def _send(self, message: _Message) -> Outcome:
        try:
            answer: Answer = await self._outbound.request(
                "POST",
                message.url,
                headers=message.headers,
                content=message.body,
                seconds=_SECONDS,
                most_bytes=EXCERPT_BYTES,
            )
        except (OutboundRefused, OutboundFailed) as error:
            return Outcome(failure=error.reason)
        return Outcome(status=answer.status, excerpt=answer.body)
