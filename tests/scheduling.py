"""In which order the tests run, and which of them one worker of pytest-xdist has in one piece."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).parents[1]
SUITE = ("tests/e2e/", "tests/clients/")
"""The folders whose tests share one running suite and one build of the client."""
FAULTS = "tests/e2e/test_faults.py"
OWN_SUITES = (FAULTS, "tests/e2e/test_starts.py")
"""But these start suites of their own, beside it."""


class Together(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each piece to whichever worker is free, in the order of the tests."""

    def _split_scope(self, nodeid: str) -> str:
        return piece(nodeid)


def piece(nodeid: str) -> str:
    """Answers the piece of a test: the suite, its module if the tests share a world there, or itself."""
    module = nodeid.partition("::")[0]
    if module.startswith(SUITE) and module not in OWN_SUITES:
        return "suite"
    return module if shares(module) else nodeid


@cache
def shares(module: str) -> bool:
    """Whether tests of the module share a world: it or its folder has a fixture of the scope of a module.

    Spread over the workers, they would have it made by each of them.
    """
    file = ROOT / module
    files = [each for each in (file, file.with_name("conftest.py")) if each.exists()]
    return any('scope="module"' in each.read_text() for each in files)


def order(items: list[pytest.Item]) -> None:
    """Puts what takes long first, so that no worker is left with it at the end, and single tests last."""
    pieces = Counter(piece(item.nodeid) for item in items)

    def rank(item: pytest.Item) -> tuple[bool, bool, int]:
        nodeid = item.nodeid
        return not nodeid.startswith(FAULTS), not nodeid.startswith(SUITE), -pieces[piece(nodeid)]

    items.sort(key=rank)
