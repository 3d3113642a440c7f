"""Rating usages in batches, and its floor: the same events decoded and written by COPY, a commit a batch.

Measured by the time of the processor that this process takes, since the machine is shared. Both get the
events as they come from a stream, in batches of 500; fetching them is the same for both, and left out.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from random import Random
from uuid import UUID

import psycopg

from chassis.clock import Clock
from chassis.database import Database, Scope
from chassis.database.roles import Urls
from chassis.events.envelope import Event
from services.billing.consumers import Rating
from services.billing.models import KnownCurrency
from services.billing.pricing.price_list import PriceList
from services.billing.pricing.price_source import packaged
from services.billing.pricing.prices import import_prices
from services.billing.store.organisation import keep
from tests.usage import NEW, NOON, Person, tokens, usage
from wrtn.sessions.v1.events_pb2 import UsageRecorded

BATCH, BATCHES = 500, 10
_TENANTS, _PEOPLE = 20, 10
_TABLE = """CREATE TABLE IF NOT EXISTS usages (tenant_id uuid, history_id uuid, account_id uuid,
    member_id uuid, team_id uuid, model text, input_tokens bigint, output_tokens bigint,
    use_time timestamptz)"""
_COPY = "COPY usages FROM STDIN"

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


async def floor(url: str) -> float:
    """Answers how many events a second of processor time are decoded and copied."""
    _, batches = _batches()
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute(_TABLE)
        begun = time.process_time()
        for batch in batches:
            async with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
                for payload in batch:
                    await copy.write_row(_row(UsageRecorded.FromString(payload)))
            await connection.commit()
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


async def ours(urls: Urls) -> float:
    """Answers how many events a second of processor time are rated: rows, sums, ledger and events."""
    db, (scope, batches) = Database(urls.app, pool_size=2, clock=Clock()), _batches()
    await import_prices(db, packaged())
    known = [{"tenant_id": each, "currency": "USD", "version": 1} for each in scope.tenants]
    async with db.transaction(scope) as tx:
        await keep(tx, KnownCurrency, known)
    rating = Rating(PriceList(packaged()))
    # Once for warmth: the price list is read.
    await _rate(db, scope, rating, batches.pop())
    begun = time.process_time()
    for batch in batches:
        await _rate(db, scope, rating, batch)
    took = time.process_time() - begun
    await db.close()
    return BATCH * len(batches) / took


async def _rate(db: Database, scope: Scope, rating: Rating, batch: Batch) -> None:
    events = []
    for payload in batch:
        message = UsageRecorded.FromString(payload)
        tenant_id, history_id = UUID(message.attribution.tenant_id), UUID(message.history_id)
        events.append(Event(NEW(), NOON, tenant_id, history_id, 1, message))
    async with db.transaction(scope) as tx:
        await rating.rate(tx, events)
