"""What `make run` promises to the person in front of it."""

from __future__ import annotations

import os
import signal
import time

import httpx
import pytest

from deploy.local.plan import SERVICES
from tests.e2e.suite import Suite, ended

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def test_every_process_serves_and_the_table_says_where(suite: Suite) -> None:
    for service in SERVICES:
        assert suite.plan.address(service) in suite.said()
        assert httpx.get(suite.plan.url(f"{service}_metrics") + "/readyz", trust_env=False).status_code == 200
    assert suite.plan.url("gateway") in suite.said()
    assert (
        httpx.get(suite.plan.url("gateway") + "/openapi.json", trust_env=False).json()["openapi"] == "3.1.0"
    )


def test_a_killed_process_comes_back_and_its_end_is_said(suite: Suite) -> None:
    before = suite.pid("analytics")
    assert before
    os.kill(before, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while suite.pid("analytics") == before or not ready(suite, "analytics"):
        assert time.monotonic() < deadline, suite.said()
        time.sleep(0.1)
    assert "analytics ended" in suite.said()
    assert "analytics is started again" in suite.said()


def test_a_second_suite_over_the_same_folder_is_refused(suite: Suite) -> None:
    second = ended(suite.environ)
    assert second.returncode == 1
    assert "is running over" in second.stderr


def ready(suite: Suite, service: str) -> bool:
    """Whether a service says that it is ready."""
    try:
        return httpx.get(suite.plan.url(f"{service}_metrics") + "/readyz", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
