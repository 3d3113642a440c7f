"""Loads the fixtures of the chassis for all tests, and says which of them one worker has."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["chassis.testing.fixtures"]

TOGETHER = ("tests/e2e/", "tests/clients/")
"""The folders whose tests share one running suite and one build of the client: one worker has them all."""


class Together(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each test to whichever worker is free, and those of TOGETHER to one."""

    def _split_scope(self, nodeid: str) -> str:
        return "together" if nodeid.startswith(TOGETHER) else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    """Answers the scheduler. The groups of xdist itself do not reach it with the pytest of today."""
    return Together(config, log)
