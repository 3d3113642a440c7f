"""The tour in the README works as written; only the addresses are those of the tests' own suite."""

from __future__ import annotations

import re
import subprocess

import pytest

from deploy.local.plan import DEFAULT_PORTS, ROOT
from tests.e2e.suite import Suite

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

ANSWERS = (
    r'"body": ?"\{',
    r'"type": ?"procedure_call"',
    r'"accepted_prediction": ?0\b',
    r'"cost": ?"0\.003"',
    r'"rows": ?\[',
)
BLOCK = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_the_tour_works_as_written(suite: Suite) -> None:
    blocks = BLOCK.findall((ROOT / "README.md").read_text())
    assert len(blocks) >= 8
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", moved("".join(blocks), suite)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for answer in ANSWERS:
        assert re.search(answer, done.stdout), done.stdout


def moved(script: str, suite: Suite) -> str:
    """Replaces the default ports, which another suite on this machine may have, by this suite's."""
    for name, port in DEFAULT_PORTS.items():
        script = script.replace(f"127.0.0.1:{port}", suite.plan.address(name))
    return script
