"""The pages of the project lead where they say."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from deploy.local.plan import ROOT

LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")
PAGES = sorted(
    path for path in ROOT.rglob("*.md") if not {".venv", ".local", "node_modules"} & set(path.parts)
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert missing == []


def test_the_makefile_tells_all_its_commands() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = {line.split()[0] for line in listed.splitlines()}
    assert names >= {"run", "test", "lint", "types", "protos", "bench", "replay", "clean", "check"}
