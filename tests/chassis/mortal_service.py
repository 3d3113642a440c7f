"""The sample service as a process that begins long work and hangs in it, for the test that kills it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

from chassis.operations import Kind, Operations, Work
from chassis.service import Parts, Runtime, run
from chassis.settings import ServiceSettings, load


async def hang(work: Work) -> Mapping[str, str]:
    """Keeps one step, says so, and never ends."""
    await work.save("half", done=1, total=2, message="half")
    sys.stdout.write('{"event": "half"}\n')
    sys.stdout.flush()
    await asyncio.Event().wait()
    return {}


def wire(runtime: Runtime[ServiceSettings]) -> Parts:
    """Works alone."""
    return Parts(background=[Operations(runtime, [Kind("sample.work", hang)])])


if __name__ == "__main__":
    run("sample", load(ServiceSettings), wire, versions=Path(__file__).with_name("migrations"))
