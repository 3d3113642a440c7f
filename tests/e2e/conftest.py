"""One suite for all end-to-end tests that leave it as they found it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.e2e.suite import Suite, running


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder of our own: a run of pytest that starts meanwhile shuts pytest's to PostgreSQL's user."""
    with TemporaryDirectory(prefix="wrtn-", ignore_cleanup_errors=True) as made:
        yield Path(made)


@pytest.fixture
def own_folder() -> Iterator[Path]:
    """Another such folder, for one test."""
    with TemporaryDirectory(prefix="wrtn-", ignore_cleanup_errors=True) as made:
        yield Path(made)


@pytest.fixture(scope="session")
def suite(folder: Path) -> Iterator[Suite]:
    """A running suite, whose webhooks reach the tests."""
    with running(folder, WRTN_WEBHOOKS_INSIDE="true") as started:
        yield started
