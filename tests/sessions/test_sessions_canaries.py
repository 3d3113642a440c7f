"""What is said, and who says it from where, is in no log, trace, event, error or plain dump."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import grpc
import nats as broker
import pytest
from nats.aio.msg import Msg
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from chassis import telemetry
from chassis.crypto import DecryptionFailed
from chassis.database import Scope
from chassis.database.roles import connect
from chassis.embedded.nats import Nats
from chassis.embedded.postgres import Postgres
from chassis.testing.logs import Logs
from chassis.testing.waiting import until
from services.sessions import content
from tests.sessions.make import Line, Session, Sessions, tokens
from tests.sessions.watching import watch, write
from wrtn.sessions.v1 import chat_sessions_pb2 as pb

CANARY = re.compile(rb"canary-[a-z]+-9c1e")
TITLE, TEXT, CLIENT, ADDRESS, PIECE = (
    f"canary-{what}-9c1e" for what in ("title", "text", "client", "address", "piece")
)


@pytest.fixture
def spans() -> InMemorySpanExporter:
    """The spans of the service, which starts after this fixture and inherits its context."""
    found = InMemorySpanExporter()
    telemetry.record_spans("sessions", SimpleSpanProcessor(found))
    return found


def dump(postgres: Postgres, database: str) -> str:
    """Answers every row of every table as text and as hexadecimal bytes show it, past row level security."""
    with connect(postgres.url(database)) as admin:
        tables = admin.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        rows = [admin.execute(f"SELECT t::text FROM {name} t".encode()).fetchall() for (name,) in tables]
    texts = [row[0] for table in rows for row in table]
    return "\n".join(texts) + "".join(
        bytes.fromhex(each).decode("latin1") for text in texts for each in re.findall(r"\\x([0-9a-f]+)", text)
    )


async def errors_of(line: Line, sessions: Sessions, session: Session) -> list[str]:
    """Provokes refusals that could repeat what was sent; answers all that they say."""
    bad = [sessions.frame(f'"{TEXT}'), sessions.frame(f'"{TEXT}"', type="No Type")]
    await line.send(*bad, sessions.frame(f'"{TEXT}"', id=TEXT))
    said = [str((await line.read()).rejection.status) for _ in range(2)]
    # The third names the id that was sent, as it must; what was said stays out of its status.
    said.append(str((await line.read()).rejection.status))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await sessions.attach(session, ticket=TEXT, client=CLIENT * 20, address=ADDRESS)
    return [*said, str(refused.value.details()), str(refused.value.trailing_metadata())]


async def test_no_canary_is_in_a_log_trace_event_error_or_plain_dump(
    spans: InMemorySpanExporter, sessions: Sessions, nats: Nats, postgres: Postgres, logs: Logs
) -> None:
    client = await broker.connect(nats.url)
    overheard: list[bytes] = []

    async def overhear(message: Msg) -> None:
        overheard.append(message.subject.encode() + str(message.headers).encode() + message.data)

    await client.subscribe(">", cb=overhear)
    await client.flush()
    await sessions.running.runtime.bus.ready()
    owner = sessions.callers.member()
    created = await sessions.chats.CreateChatSession(
        pb.CreateChatSessionRequest(model="openai/gpt-4.1", title=TITLE, request_id="once"),
        metadata=owner.metadata,
    )
    session = Session(created.id, owner, sessions.callers.credential("sessions.record"))
    ticket = await sessions.ticket(session)
    unused = await sessions.ticket(session)
    line = await sessions.attach(session, ticket=ticket, client=CLIENT, address=ADDRESS)
    view = watch(sessions, session)
    await view.caught_up()
    await write(line, str(sessions.clock.new_id()), PIECE)
    await line.record(sessions.frame(json.dumps({"text": TEXT}), token_usage=tokens(1, 1)))
    await view.histories(1)
    errors = await errors_of(line, sessions, session)
    await until(lambda: any(b"usage.recorded" in each for each in overheard))
    view.call.cancel()
    await line.finish()
    await client.close()
    told = [
        logs.getvalue(),
        dump(postgres, sessions.database.name),
        b"".join(overheard).decode("latin1"),
        "".join(each.to_json() for each in spans.get_finished_spans()),
        "".join(errors),
    ]
    assert all(told), "nothing was looked at"
    for each in told:
        assert not CANARY.findall(each.encode()), each
        for secret in (ticket, unused):
            assert secret.partition(".")[2] not in each
    assert session.id in told[1], "the dump is of another database"


async def test_titles_and_origins_that_were_moved_do_not_decrypt(sessions: Sessions) -> None:
    mine, other = await sessions.session(), await sessions.session()
    tenant, neighbour = mine.owner.enterprise_id, other.owner.enterprise_id
    runtime = sessions.running.runtime
    async with runtime.db.transaction(Scope.of(tenant, neighbour)) as tx:
        key, foreign = [await runtime.keyring.key(tx, each) for each in (tenant, neighbour)]
    here, there = sessions.clock.new_id(), sessions.clock.new_id()
    title = content.seal_title(key, here, TITLE)
    client, address = content.seal_origin(key, here, CLIENT, ADDRESS)
    assert content.open_title(key, here, title) == TITLE
    assert content.open_origin(key, here, client, address) == (CLIENT, ADDRESS)
    moved: list[Callable[[], object]] = [
        lambda: content.open_title(key, there, title),
        lambda: content.open_title(foreign, here, title),
        lambda: content.open_title(key, here, client),
        lambda: content.open_origin(key, there, client, address),
        lambda: content.open_origin(foreign, here, client, address),
        lambda: content.open_origin(key, here, address, client),
    ]
    for attempt in moved:
        with pytest.raises(DecryptionFailed):
            attempt()
