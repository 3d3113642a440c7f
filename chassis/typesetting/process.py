"""Setting a document by a process of its own, one at a time: it costs the service neither time nor memory."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

_SECONDS = 60.0
_PIECE = 256 * 1024
_at_once = asyncio.Semaphore(1)


class TypesettingFailed(Exception):
    """The document could not be set, or not in time."""


async def typeset(module: str, wanted: bytes) -> AsyncIterator[bytes]:
    """Yields what `python -m module` makes of its input, in pieces; raises TypesettingFailed."""
    data = await _set(module, wanted)
    for start in range(0, len(data), _PIECE):
        yield data[start : start + _PIECE]


async def _set(module: str, wanted: bytes) -> bytes:
    async with _at_once:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(_SECONDS):
                data, _ = await process.communicate(wanted)
        except TimeoutError:
            raise TypesettingFailed from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if process.returncode:
        raise TypesettingFailed
    return data
