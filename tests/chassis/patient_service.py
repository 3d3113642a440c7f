"""The sample service as a process of its own, for the tests of signals. Its calls take a while."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from chassis.service import Parts, Runtime, run
from chassis.settings import ServiceSettings, load
from tests.chassis.playing import Sample, pb_grpc

TAKES = 0.5
"""Seconds of a call."""


class Patient(Sample):
    """Works for a while on each call."""

    async def Anyone(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Answers in the end."""
        await asyncio.sleep(TAKES)
        return request


def wire(_runtime: Runtime[ServiceSettings]) -> Parts:
    """Serves the sample alone."""
    return Parts(servicers=[(pb_grpc.add_SampleServiceServicer_to_server, Patient())])


if __name__ == "__main__":
    run("sample", load(ServiceSettings), wire, versions=Path(__file__).with_name("migrations"))
