"""How `make run` starts: what it refuses, what it finds left over, and servers from outside."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from chassis.embedded.nats import Nats
from chassis.embedded.postgres import Postgres
from deploy.local.plan import ROOT, SERVICES
from tests.e2e.suite import Suite, ended, free_ports, running

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def test_a_taken_port_is_named_with_the_setting_that_moves_it(own_folder: Path) -> None:
    environ = {**os.environ, **free_ports(), "WRTN_LOCAL_DIR": str(own_folder)}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused = ended({**environ, "WRTN_BILLING_PORT": port})
    assert refused.returncode == 1
    assert f"{port} (billing)" in refused.stderr
    assert "WRTN_BILLING_PORT" in refused.stderr


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_without_its_settings_refuses_to_start_in_a_sentence(service: str) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", f"services.{service}.main"],
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if not key.startswith("WRTN_")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert refused.returncode == 1
    assert "refusing to start: WRTN_GRPC_ADDRESS is not set" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_run_after_a_killed_one_stops_what_it_left_and_keeps_its_state(own_folder: Path) -> None:
    with running(own_folder) as first:
        keys = {path.name: path.read_bytes() for path in secrets(first)}
        assert {path.stat().st_mode & 0o777 for path in secrets(first)} == {0o600}
        first.process.kill()
        first.process.wait()
        orphan = first.pid("identity")
        assert orphan
        ports = {key: value for key, value in first.environ.items() if key.endswith("_PORT")}
    with running(own_folder, **ports) as second:
        assert "stopped identity, left over" in second.said()
        assert second.pid("identity") != orphan
        assert {path.name: path.read_bytes() for path in secrets(second)} == keys
        assert second.stop() == 0
        assert "stopping" in second.said()
        assert [name for name in (*SERVICES, "postgres", "nats") if second.pid(name)] == []


def test_servers_from_outside_are_used_in_place_of_embedded_ones(own_folder: Path) -> None:
    postgres, nats = Postgres(own_folder / "postgres", password="from outside"), Nats(own_folder / "nats")
    postgres.start()
    nats.start()
    try:
        (own_folder / "suite").mkdir()
        outside = {"WRTN_POSTGRES_URL": postgres.url(), "WRTN_NATS_URL": nats.url}
        with running(own_folder / "suite", **outside) as suite:
            assert [suite.pid(name) for name in ("postgres", "nats")] == [None, None]
            assert httpx.get(suite.plan.url("gateway") + "/readyz", trust_env=False).status_code == 200
    finally:
        nats.stop()
        postgres.stop()


@pytest.mark.parametrize("url", ["postgresql+psycopg://somebody:geheim@127.0.0.1:1/postgres", "geheim"])
def test_a_postgres_from_outside_that_cannot_be_reached_is_said_plainly(own_folder: Path, url: str) -> None:
    environ = {**os.environ, **free_ports(), "WRTN_LOCAL_DIR": str(own_folder), "WRTN_POSTGRES_URL": url}
    refused = ended(environ)
    assert refused.returncode == 1
    assert "cannot run: WRTN_POSTGRES_URL: " in refused.stderr
    assert "Traceback" not in refused.stderr
    assert "geheim" not in refused.stderr


def secrets(suite: Suite) -> list[Path]:
    """The files of the suite's secrets."""
    return sorted(path for path in (suite.plan.state / "secrets").rglob("*") if path.is_file())
