"""Loads the fixtures of the chassis for all tests, and says on which loop they run and on which worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import uvloop
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["chassis.testing.fixtures"]

TOGETHER = ("tests/e2e/", "tests/clients/")
"""The folders whose tests share one running suite and one build of the client: one worker has them all."""


class Together(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each test to whichever worker is free, and those of TOGETHER to one."""

    def _split_scope(self, nodeid: str) -> str:
        return "together" if nodeid.startswith(TOGETHER) else nodeid


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Answers the loop on which the services run, but for tests that look into the workings of a loop."""
    if item.get_closest_marker("plain_loop"):
        return {"asyncio": asyncio.new_event_loop}
    return {"uvloop": uvloop.new_event_loop}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    """Answers the scheduler. The groups of xdist itself do not reach it with the pytest of today."""
    return Together(config, log)
