"""A service starts without its neighbours, tells how it is, and drains without losing a call."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from chassis.access.rules import RulesError
from chassis.embedded.nats import Nats
from chassis.service import Parts, Running, Runtime, start
from chassis.settings import ServiceSettings, SettingsError
from chassis.testing.callers import Callers
from chassis.testing.databases import ServiceDatabase
from chassis.testing.serving import Serve, settings_of, with_callers
from chassis.testing.waiting import until
from tests.chassis.playing import Sample, pb, pb_grpc
from wrtn.identity.v1.events_pb2 import LoginEnded

VERSIONS = Path(__file__).with_name("migrations")
Health = health_pb2.HealthCheckResponse


def wire_of(sample: Any) -> Any:
    """Wires the sample service alone."""

    def wire(_runtime: Runtime[ServiceSettings]) -> Parts:
        return Parts(servicers=[(pb_grpc.add_SampleServiceServicer_to_server, sample)])

    return wire


async def get(port: int, path: str, method: str = "GET") -> tuple[int, str]:
    """Answers status and body of an HTTP request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{method} {path} HTTP/1.1\r\nhost: test\r\n\r\n".encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), body


async def health(channel: grpc.aio.Channel, service: str = "") -> Any:
    """Answers the health that gRPC tells."""
    stub: Any = health_pb2_grpc.HealthStub(channel)
    return (await stub.Check(health_pb2.HealthCheckRequest(service=service))).status


async def test_a_service_serves_and_tells_how_it_is(serve: Serve, callers: Callers) -> None:
    running = await serve("sample", ServiceSettings, wire_of(Sample()), versions=VERSIONS)
    async with running.channel() as channel:
        stub = pb_grpc.SampleServiceStub(channel)
        assert (await stub.Echo(pb.Text(text="hello"), metadata=callers.member().metadata)).text == "hello"
        assert await health(channel) == Health.SERVING
        assert await health(channel, "sample.v1.SampleService") == Health.SERVING
    assert await get(running.metrics_port, "/healthz") == (200, "ok\n")
    assert await get(running.metrics_port, "/readyz") == (200, "ok\n")
    status, metrics = await get(running.metrics_port, "/metrics")
    assert status == 200
    assert 'wrtn_rpc_calls_total{code="OK",method="/sample.v1.SampleService/Echo"}' in metrics
    assert (await get(running.metrics_port, "/else"))[0] == 404
    assert (await get(running.metrics_port, "/metrics", "POST"))[0] == 405


async def reflected(running: Running[ServiceSettings]) -> set[str]:
    """Answers the services that reflection lists."""
    async with running.channel() as channel:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        async for answer in stub.ServerReflectionInfo(iter([request])):
            return {each.name for each in answer.list_services_response.service}
    return set()


async def test_reflection_is_for_development_only(serve: Serve) -> None:
    running = await serve("sample", ServiceSettings, wire_of(Sample()), versions=VERSIONS)
    assert "sample.v1.SampleService" in await reflected(running)
    closed = await serve("sample", ServiceSettings, wire_of(Sample()), versions=VERSIONS, production=True)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await reflected(closed)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_without_nats_it_starts_serves_and_is_ready(serve: Serve, callers: Callers, nats: Nats) -> None:
    nats.stop()
    running = await serve("sample", ServiceSettings, wire_of(Sample()), versions=VERSIONS)
    async with running.channel() as channel:
        await pb_grpc.SampleServiceStub(channel).Echo(pb.Text(), metadata=callers.member().metadata)
    assert await get(running.metrics_port, "/healthz") == (200, "ok\n")
    assert await get(running.metrics_port, "/readyz") == (200, "ok\n")


async def test_without_database_it_is_alive_and_not_ready(
    service_database: ServiceDatabase, callers: Callers, nats: Nats
) -> None:
    gone = "postgresql+psycopg://app@127.0.0.1:1/gone"
    settings = settings_of(
        ServiceSettings,
        "sample",
        service_database,
        nats.url,
        callers,
        database_url=gone,
        database_worker_url=gone,
    )
    async with start(
        "sample", settings, with_callers(wire_of(Sample()), callers), versions=VERSIONS
    ) as running:
        assert await get(running.metrics_port, "/healthz") == (200, "ok\n")
        assert await get(running.metrics_port, "/readyz") == (503, "the database does not answer\n")


async def test_an_old_schema_is_not_ready(
    serve: Serve, tmp_path: Path, service_database: ServiceDatabase
) -> None:
    for version in VERSIONS.glob("*.py"):
        (tmp_path / version.name).write_text(version.read_text())
    newer = 'revision = "0002"\ndown_revision = "0001"\n\n\ndef upgrade() -> None:\n    pass\n'
    (tmp_path / "0002_more.py").write_text(newer)
    running = await serve(
        "sample", ServiceSettings, wire_of(Sample()), database=service_database, versions=tmp_path
    )
    assert await get(running.metrics_port, "/readyz") == (503, "the database is not migrated\n")


async def test_a_taken_port_is_named(serve: Serve) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for setting in ("grpc_address", "metrics_address"):
            taking: Any = {setting: address}
            with pytest.raises(SettingsError, match=f"WRTN_{setting.upper()}.*{address}"):
                await serve("sample", ServiceSettings, wire_of(Sample()), versions=VERSIONS, **taking)


async def test_two_services_cannot_share_a_port_unnoticed(serve: Serve) -> None:
    first = await serve("sample", ServiceSettings, wire_of(Sample()), versions=VERSIONS)
    with pytest.raises(SettingsError, match="WRTN_GRPC_ADDRESS"):
        await serve(
            "sample", ServiceSettings, wire_of(Sample()), versions=VERSIONS, grpc_address=first.address
        )


async def test_a_key_file_without_keys_is_named(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("short")
    for key_file in (tmp_path / "keys", tmp_path / "missing"):
        with pytest.raises(SettingsError, match="WRTN_KEY_FILE"):
            await serve("sample", ServiceSettings, wire_of(Sample()), versions=VERSIONS, key_file=key_file)


async def test_a_method_without_rule_keeps_the_service_from_starting(serve: Serve) -> None:
    class NoRule(pb_grpc.NoRuleServiceServicer):  # type: ignore[misc]
        """Forgets its rule."""

    def wire(_runtime: Runtime[ServiceSettings]) -> Parts:
        return Parts(servicers=[(pb_grpc.add_NoRuleServiceServicer_to_server, NoRule())])

    with pytest.raises(RulesError, match="Forgotten"):
        await serve("sample", ServiceSettings, wire, versions=VERSIONS)


class Slow(Sample):
    """Takes as long as the test wants, and notes when it has ended."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.ended = False

    async def Echo(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Waits for the test; clears up slowly when cancelled."""
        self.entered.set()
        try:
            await self.go.wait()
        finally:
            await asyncio.sleep(0.05)
            self.ended = True
        return request


async def drained(slow: Slow, settings: ServiceSettings, callers: Callers, at_work: Any) -> grpc.StatusCode:
    """Starts, makes a call, drains while it is at work, and answers how the call ended."""
    async with start("sample", settings, with_callers(wire_of(slow), callers), versions=VERSIONS) as running:
        channel = running.channel()
        call = pb_grpc.SampleServiceStub(channel).Echo(pb.Text(), metadata=callers.member().metadata)
        waiting = asyncio.ensure_future(call.code())
        await slow.entered.wait()
        told = asyncio.ensure_future(at_work(running))
    await told
    code: grpc.StatusCode = await waiting
    await channel.close()
    return code


async def test_a_drain_lets_running_calls_end(
    service_database: ServiceDatabase, callers: Callers, nats: Nats
) -> None:
    slow = Slow()
    settings = settings_of(ServiceSettings, "sample", service_database, nats.url, callers)

    async def at_work(running: Running[ServiceSettings]) -> None:
        await running.runtime.draining.wait()
        assert await get(running.metrics_port, "/readyz") == (503, "draining\n")
        slow.go.set()

    assert await drained(slow, settings, callers, at_work) is grpc.StatusCode.OK


async def test_a_drain_waits_for_handlers_that_it_cancelled(
    service_database: ServiceDatabase, callers: Callers, nats: Nats
) -> None:
    slow = Slow()
    settings = settings_of(ServiceSettings, "sample", service_database, nats.url, callers, drain_seconds=0.1)

    async def at_work(running: Running[ServiceSettings]) -> None:
        await running.runtime.draining.wait()

    started = time.monotonic()
    assert await drained(slow, settings, callers, at_work) is not grpc.StatusCode.OK
    assert slow.ended
    assert time.monotonic() - started < 5


async def test_an_event_of_identity_drops_the_cached_principal_within_a_second(
    serve: Serve, callers: Callers
) -> None:
    running = await serve("sample", ServiceSettings, wire_of(Sample()), versions=VERSIONS)
    member = callers.member()
    async with running.channel() as channel:
        stub = pb_grpc.SampleServiceStub(channel)
        await stub.Echo(pb.Text(), metadata=member.metadata)
        callers.end(member)
        await running.runtime.bus.ready()
        event = LoginEnded(login_id=str(member.token.login_id)).SerializeToString()
        await running.runtime.bus.publish("wrtn.identity.v1.login.ended", event)
        started = time.monotonic()

        async def refused() -> bool:
            code = await stub.Echo(pb.Text(), metadata=member.metadata).code()
            return bool(code is grpc.StatusCode.UNAUTHENTICATED)

        await until(refused)
        assert time.monotonic() - started < 1
