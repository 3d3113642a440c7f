"""From a recorded frame to its cost: what is used besides tokens is priced by billing as it was told."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from chassis.embedded.nats import Nats
from chassis.testing.callers import Callers
from chassis.testing.clocks import MovableClock
from chassis.testing.databases import DatabaseFactory
from chassis.testing.serving import Serve
from chassis.testing.waiting import until
from clients.python.wrtn_recorder import Opening, Recorder, token_usage
from tests.billing.desk import Desk, served
from tests.sessions.make import Session, Sessions, serving
from wrtn.sessions.v1.token_usage_pb2 import UsageUnits

MODEL = "acme/pictures-1"


async def test_images_seconds_requests_and_cache_writes_of_a_frame_are_charged(
    database: DatabaseFactory, serve: Serve, nats: Nats, callers: Callers, tmp_path: Path
) -> None:
    made = await database("sessions")
    async with (
        served(database, serve, callers, MovableClock()) as desk,
        serving(made, nats, callers, tmp_path) as sessions,
    ):
        await desk.price(
            MODEL,
            desk.now() - timedelta(days=1),
            input_per_million="1",
            cache_write_per_million="3",
            per_request="0.01",
            per_image="0.5",
            per_second="0.25",
        )
        session = await sessions.session()
        drawn = await record(sessions, session, UsageUnits(images=2, seconds=4, requests=3), tokens=0)
        written = await record(sessions, session, UsageUnits(cache_write_tokens=300_000), tokens=1_000_000)
        assert await cost(desk, session, drawn) == Decimal("2.03")
        # 0.7 fresh, 0.9 written to the cache, 0.01 for the request.
        assert await cost(desk, session, written) == Decimal("1.61")


async def record(sessions: Sessions, session: Session, units: UsageUnits, *, tokens: int) -> str:
    """Records an answer with the recorder; says which history it is."""

    async def bearer(_fresh: bool) -> str:
        return session.credential.bearer

    opening = Opening(await sessions.ticket(session))
    async with (
        Recorder(f"127.0.0.1:{sessions.running.port}", bearer) as recorder,
        await recorder.attach(opening) as recording,
    ):
        usage = token_usage(read=tokens) if tokens else None
        sent = recording.send("assistant_message", {"text": "!"}, usage=usage, units=units, model=MODEL)
        return (await sent).id


async def cost(desk: Desk, session: Session, history_id: str) -> Decimal:
    """Waits until billing has rated the history; answers its cost."""
    tenant_id = UUID(str(session.owner.enterprise_id))
    query = f"SELECT cost FROM wrtn_usages WHERE history_id = '{history_id}'"

    async def rated() -> bool:
        return bool(await desk.core.rows(query, tenant_id))

    await until(rated)
    return Decimal((await desk.core.rows(query, tenant_id))[0][0])
