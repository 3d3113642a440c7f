"""The embedded servers: they keep their data through kill -9, and are closed to those without a password."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nats as nats_client
import psutil
import psycopg
import pytest

from chassis.database.roles import connect
from chassis.embedded.nats import Nats
from chassis.embedded.postgres import Postgres, binaries
from chassis.embedded.process import ServerFailed

PASSWORD = "s:c@r/t"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of its own with a short path."""
    made = Path(tempfile.mkdtemp(prefix="wrtn-em-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def durable() -> Iterator[Postgres]:
    """A server as `make run` has it; a test that kills it starts it again."""
    folder = Path(tempfile.mkdtemp(prefix="wrtn-em-"))
    server = Postgres(folder / "pg", port=free_port(), password=PASSWORD)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


def test_what_was_committed_outlives_kill_9(durable: Postgres) -> None:
    with connect(durable.url()) as admin:
        assert admin.execute("SHOW fsync").fetchone() == ("on",)
        admin.execute("CREATE TABLE kept AS SELECT 7 AS value")
    os.kill(durable.pid or 0, signal.SIGKILL)
    durable.kill()
    assert not durable.running
    durable.start()
    with connect(durable.url()) as admin:
        assert admin.execute("SELECT value FROM kept").fetchone() == (7,)


def test_the_port_lets_nobody_in_without_the_password(durable: Postgres) -> None:
    place = f"host=127.0.0.1 port={durable.port} user=postgres dbname=postgres"
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(place)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"{place} password=guess")
    psycopg.connect(f"{place} password={PASSWORD}").close()


def test_the_data_folder_is_closed_to_others_and_the_password_is_in_no_file_of_it(durable: Postgres) -> None:
    assert durable.data.stat().st_mode & 0o077 == 0
    found = [path for path in durable.data.parent.rglob("*.*") if path.is_file() and path.suffix != ".pid"]
    assert not [path for path in found if PASSWORD.encode() in path.read_bytes()]


def test_psql_connects_over_tcp(durable: Postgres) -> None:
    url = f"postgresql://postgres@127.0.0.1:{durable.port}/postgres"
    environ = {"PGPASSWORD": PASSWORD, "PATH": "/usr/bin:/bin"}
    command = [str(binaries() / "psql"), url, "-Atc", "SELECT version()"]
    answer = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    assert answer.stdout.startswith("PostgreSQL 18")


def test_a_taken_port_is_said_plainly(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = Postgres(folder / "pg", port=taken.getsockname()[1], durable=False)
        with pytest.raises(ServerFailed, match="Address already in use"):
            server.start()
    assert not server.running


def test_a_folder_with_a_long_path_works_too(folder: Path) -> None:
    server = Postgres(folder / ("long" * 30) / "pg", durable=False)
    server.start()
    try:
        connect(server.url()).close()
    finally:
        server.stop()
        shutil.rmtree(server.sockets, ignore_errors=True)


ORPHANS = """
import sys
from pathlib import Path
from chassis.embedded.nats import Nats
from chassis.embedded.postgres import Postgres

folder = Path(sys.argv[1])
servers = Postgres(folder / "pg", durable=False), Nats(folder / "nats", port=int(sys.argv[2]), durable=False)
for each in servers:
    each.start()
    print(each.pid, flush=True)
sys.stdin.read()
"""


def test_servers_that_outlived_their_supervisor_are_replaced(folder: Path) -> None:
    port = free_port()
    command = [sys.executable, "-c", ORPHANS, str(folder), str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout
        left = [int(supervisor.stdout.readline()) for _ in range(2)]
        supervisor.kill()
    for server in (Postgres(folder / "pg", durable=False), Nats(folder / "nats", port=port, durable=False)):
        server.start()
        server.stop()
    assert not [pid for pid in left if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]


async def test_nats_keeps_its_port_and_its_streams_through_kill_9(folder: Path) -> None:
    server = Nats(folder, token="tok-en")
    server.start()
    try:
        address = server.url
        client = await nats_client.connect(address)
        await client.jetstream().add_stream(name="KEPT", subjects=["kept.>"])
        await client.jetstream().publish("kept.one", b"")
        await client.close()
        server.kill()
        server.start()
        assert server.url == address
        client = await nats_client.connect(address)
        assert (await client.jetstream().stream_info("KEPT")).state.messages == 1
        await client.close()
    finally:
        server.stop()


def test_nats_lets_nobody_in_without_the_token(folder: Path) -> None:
    with pytest.raises(ValueError, match="quoting"):
        Nats(folder, token="to/ken")
    server = Nats(folder, token="token", durable=False)
    server.start()
    try:
        with socket.create_connection(("127.0.0.1", server.port), 5) as line, line.makefile("rb") as answers:
            assert answers.readline().startswith(b"INFO")
            line.sendall(b"CONNECT {}\r\nPING\r\n")
            assert b"Authorization Violation" in answers.readline()
    finally:
        server.stop()
