"""The TypeScript client: its own tests, against a recorder service that misbehaves on purpose."""

from __future__ import annotations

import subprocess

import pytest

from protos import typescript

pytestmark = pytest.mark.timeout(600)


def test_its_own_tests_pass() -> None:
    typescript.main()
    node, _ = typescript.node_and_npm()
    tests = sorted(map(str, (typescript.CLIENT / "dist" / "tests").glob("*.test.js")))
    assert tests
    ran = subprocess.run(
        [*node, "--test", *tests], cwd=typescript.CLIENT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_example_is_short_enough_to_be_read() -> None:
    assert len((typescript.CLIENT / "example" / "server.ts").read_text().splitlines()) <= 200
