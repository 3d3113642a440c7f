"""Loads the fixtures of the chassis for all tests, and says on which loop and in which order they run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import uvloop

from tests import scheduling

pytest_plugins = ["chassis.testing.fixtures"]


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Answers the loop on which the services run, but for tests that look into the workings of a loop."""
    if item.get_closest_marker("plain_loop"):
        return {"asyncio": asyncio.new_event_loop}
    return {"uvloop": uvloop.new_event_loop}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts what takes long first."""
    scheduling.order(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> scheduling.Together:
    """Answers the scheduler. The groups of xdist itself do not reach it with the pytest of today."""
    config.option.loadscopereorder = False
    return scheduling.Together(config, log)
