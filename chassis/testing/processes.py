"""Services as processes of their own, for tests that end or kill one."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields

from chassis.settings import PREFIX, ServiceSettings


def environment(settings: ServiceSettings) -> dict[str, str]:
    """The variables that make these settings."""
    values = {each.name: getattr(settings, each.name) for each in fields(settings)}
    ours = {PREFIX + name.upper(): str(value) for name, value in values.items() if value is not None}
    return {**os.environ, **ours, "PYTHONPATH": "."}


@asynccontextmanager
async def process(env: dict[str, str], module: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The module, running; killed at the end if it is still there."""
    pipe = asyncio.subprocess.PIPE
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, env=env, stdout=pipe, stderr=pipe
    )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()
