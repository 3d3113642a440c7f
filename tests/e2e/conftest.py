"""One suite for all end-to-end tests that leave it as they found it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.suite import Suite, running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps these tests in one worker of pytest-xdist, so that they share one suite."""
    for item in items:
        if item.get_closest_marker("e2e"):
            item.add_marker(pytest.mark.xdist_group("e2e"))


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """A running suite."""
    with running(tmp_path_factory.mktemp("suite")) as started:
        yield started
