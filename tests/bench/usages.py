"""Rating usages, and its floor: a bare fetch of the same events from JetStream, a COPY and a commit a batch.

Measured by the time of the processor that this process takes, since the machine is shared. Both begin when
the stream is full, decode what they fetch in batches of 500, and have acknowledged it all when they end.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import chain
from random import Random
from uuid import UUID

import nats
import psycopg
from nats.js import JetStreamContext

from chassis.clock import Clock
from chassis.database import Database, Scope, Transaction
from chassis.database.roles import Urls
from chassis.events import envelope
from chassis.events.bus import Bus
from chassis.events.envelope import Event
from chassis.events.runner import Runner
from chassis.events.streams import ensure_stream, stream_of
from chassis.testing.waiting import until
from services.billing.consumers import Rating
from services.billing.models import KnownCurrency
from services.billing.pricing.price_list import PriceList
from services.billing.pricing.price_source import packaged
from services.billing.pricing.prices import import_prices
from services.billing.store import Prices
from services.billing.store.organisation import keep
from tests.usage import NEW, NOON, Person, tokens, usage
from wrtn.sessions.v1.events_pb2 import UsageRecorded

BATCH, BATCHES = 500, 10
_TENANTS, _PEOPLE = 20, 10
_TABLE = """CREATE TABLE IF NOT EXISTS usages (tenant_id uuid, history_id uuid, account_id uuid,
    member_id uuid, team_id uuid, model text, input_tokens bigint, output_tokens bigint,
    use_time timestamptz)"""
_COPY = "COPY usages FROM STDIN"
_SOURCE, _SUBJECT = "sessions", envelope.subject_of(UsageRecorded)

Batch = Sequence[bytes]


def _batches() -> tuple[Scope, list[Batch]]:
    """Answers fresh usages of some tenants, as they come from the stream."""
    random, tenants = Random(1), [NEW() for _ in range(_TENANTS)]
    people = [Person(each, (NEW(), NEW(), NEW())) for each in tenants for _ in range(_PEOPLE)]
    models = ["openai/gpt-4.1", "openai/gpt-4o", "anthropic/claude-sonnet-4-0"]

    def one() -> bytes:
        used = tokens(random.randrange(100, 9000), 50, random.randrange(20, 900), 20)
        return usage(random.choice(people), used, model=random.choice(models)).SerializeToString()

    return Scope.of(*tenants), [[one() for _ in range(BATCH)] for _ in range(BATCHES)]


@asynccontextmanager
async def _filled(nats_url: str, batches: Sequence[Batch]) -> AsyncIterator[JetStreamContext]:
    """The stream of sessions with these usages and nothing else; without the consumers of earlier runs."""
    client = await nats.connect(nats_url)
    jetstream, stream = client.jetstream(), stream_of(_SOURCE)
    await ensure_stream(jetstream, _SOURCE)
    await jetstream.purge_stream(stream)
    for consumer in await jetstream.consumers_info(stream):
        await jetstream.delete_consumer(stream, consumer.name)
    for payload in chain(*batches):
        message = UsageRecorded.FromString(payload)
        tenant_id, history_id = UUID(message.attribution.tenant_id), UUID(message.history_id)
        headers = envelope.headers(NEW(), tenant_id, _SUBJECT, history_id, 1, None, NOON, None)
        await client.publish(_SUBJECT, payload, headers=headers)

    async def full() -> bool:
        return (await jetstream.stream_info(stream)).state.messages == sum(map(len, batches))

    await until(full)
    try:
        yield jetstream
    finally:
        await client.close()


async def floor(url: str, nats_url: str) -> float:
    """Answers how many events a second of processor time are fetched, copied and acknowledged."""
    _, batches = _batches()
    async with (
        _filled(nats_url, batches) as jetstream,
        await psycopg.AsyncConnection.connect(url) as connection,
    ):
        await connection.execute(_TABLE)
        pull = await jetstream.pull_subscribe(_SUBJECT, "floor", stream=stream_of(_SOURCE))
        left, begun = BATCH * BATCHES, time.process_time()
        while left:
            messages = await pull.fetch(BATCH, timeout=10)
            async with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
                for each in messages:
                    await copy.write_row(_row(UsageRecorded.FromString(each.data)))
            await connection.commit()
            for each in messages:
                await each.ack()
            left -= len(messages)
        return BATCH * BATCHES / (time.process_time() - begun)


def _row(message: UsageRecorded) -> tuple[object, ...]:
    whose = message.attribution
    return (
        whose.tenant_id,
        message.history_id,
        whose.account_id,
        whose.member_id,
        whose.team_id,
        message.model,
        int(message.tokens.input.total),
        int(message.tokens.output.total),
        message.use_time.ToDatetime(),
    )


async def ours(urls: Urls, nats_url: str) -> float:
    """Answers how many events a second of processor time are rated: inbox, rows, sums, ledger and events."""
    db, (scope, batches) = Database(urls.app, pool_size=4, clock=Clock()), _batches()
    await import_prices(db, packaged())
    known = [{"tenant_id": each, "currency": "USD", "version": 1} for each in scope.tenants]
    async with db.transaction(scope) as tx:
        await keep(tx, KnownCurrency, known)
    # The price list is read before.
    prices = PriceList(packaged())
    async with db.snapshot(Scope()) as snapshot:
        prices.add(await Prices(snapshot).newer(prices.last_sequence))
    rating, left, done = Rating(prices), BATCH * BATCHES, asyncio.Event()

    async def rate(tx: Transaction, events: Sequence[Event[UsageRecorded]]) -> None:
        nonlocal left
        await rating.rate(tx, events)
        left -= len(events)
        if not left:
            tx.after_commit(done.set)

    async with _filled(nats_url, batches):
        bus = await Bus.connect(nats_url)
        await bus.ready()
        runner = Runner(db, bus, "billing", replace(rating.consumer(), handlers={UsageRecorded: rate}))
        begun = time.process_time()
        await runner.start()
        await done.wait()
        await runner.stop()
        took = time.process_time() - begun
        await bus.close()
    await db.close()
    return BATCH * BATCHES / took
