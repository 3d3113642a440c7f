"""A service as a process: it refuses to start with a sentence, and ends on SIGTERM without losing a call."""

from __future__ import annotations

import asyncio
import json
import signal

import grpc

from chassis.embedded.nats import Nats
from chassis.settings import ServiceSettings
from chassis.testing.callers import Callers
from chassis.testing.databases import ServiceDatabase
from chassis.testing.processes import environment, process
from chassis.testing.serving import settings_of
from tests.chassis.playing import pb, pb_grpc

PATIENT = "tests.chassis.patient_service"


async def port_of(running: asyncio.subprocess.Process) -> int:
    """Waits for the line that says where it serves."""
    assert running.stdout is not None
    while line := await running.stdout.readline():
        said = json.loads(line)
        if said["event"] == "serving":
            return int(said["port"])
    raise AssertionError("it never served")


async def test_sigterm_lets_the_calls_at_work_end(
    service_database: ServiceDatabase, nats: Nats, callers: Callers
) -> None:
    settings = settings_of(ServiceSettings, "sample", service_database, nats.url, callers)
    async with process(environment(settings), PATIENT) as running:
        port = await port_of(running)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = pb_grpc.SampleServiceStub(channel)
            await stub.Anyone(pb.Text(text="connected"))
            call = stub.Anyone(pb.Text(text="at work"))
            await call.wait_for_connection()
            running.send_signal(signal.SIGTERM)
            assert (await call).text == "at work"
        output, problems = await asyncio.wait_for(running.communicate(), 60)
        assert (running.returncode, problems) == (0, b"")
        assert json.loads(output.splitlines()[-1])["event"] == "stopped"


async def test_a_missing_setting_is_a_sentence_and_no_traceback(
    service_database: ServiceDatabase, nats: Nats, callers: Callers
) -> None:
    env = environment(settings_of(ServiceSettings, "sample", service_database, nats.url, callers))
    del env["WRTN_NATS_URL"]
    async with process(env, PATIENT) as running:
        _, problems = await asyncio.wait_for(running.communicate(), 60)
        assert problems.decode() == "refusing to start: WRTN_NATS_URL is not set\n"
        assert running.returncode == 1


async def test_an_unreadable_key_is_a_sentence_and_no_traceback(
    service_database: ServiceDatabase, nats: Nats, callers: Callers
) -> None:
    settings = settings_of(ServiceSettings, "sample", service_database, nats.url, callers)
    async with process(
        environment(settings) | {"WRTN_PEER_KEY_FILE": "/nowhere/key.pem"}, PATIENT
    ) as running:
        _, problems = await asyncio.wait_for(running.communicate(), 60)
        assert problems.decode().startswith("sample refuses to start: WRTN_PEER_KEY_FILE: key.pem is not")
        assert b"Traceback" not in problems
        assert running.returncode == 1
