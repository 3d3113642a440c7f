"""The JSON log lines of a test."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from chassis import telemetry


class Logs(io.StringIO):
    """Keeps the lines for the test, and shows them beside a failure."""

    def write(self, text: str) -> int:
        """Keeps and shows."""
        sys.stderr.write(text)
        return super().write(text)

    def lines(self) -> list[dict[str, Any]]:
        """Answers the lines so far."""
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture(autouse=True)
def logs() -> Logs:
    """What this test logs."""
    found = Logs()
    telemetry.configure_logs("test", "INFO", found)
    return found
