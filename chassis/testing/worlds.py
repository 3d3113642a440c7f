"""Worlds that the tests of a module share: they live in the event loop of the module."""

from __future__ import annotations

import inspect
from collections.abc import Collection
from typing import Any

import pytest


def run_beside(fixtures: Collection[str], name: str, found: Any) -> None:
    """Has a test that asks for one of these fixtures run in the loop of its module, where they live.

    For `pytest_pycollect_makeitem`, tried first: later than there the loop of a test is settled.
    """
    is_test = name.startswith("test_") and inspect.iscoroutinefunction(found)
    if is_test and not inspect.signature(found).parameters.keys().isdisjoint(fixtures):
        pytest.mark.asyncio(loop_scope="module")(found)
