"""A transcript as PDF: set by a process of its own, so that it costs the recorder neither time nor memory."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict

from services.sessions.errors import TranscriptFailed, TranscriptTooLong
from services.sessions.transcripts.entries import entry
from services.sessions.transcripts.reading import Transcript

MOST_BYTES = 2 * 1024 * 1024
"""Bodies of a session that are set as PDF."""
_SECONDS = 60.0
_PIECE = 256 * 1024
_at_once = asyncio.Semaphore(1)


async def write(transcript: Transcript) -> AsyncIterator[bytes]:
    """Yields the document. Raises TranscriptTooLong and TranscriptFailed."""
    session = transcript.session
    entries, size = [], 0
    async for history in transcript.histories():
        size += len(history.body)
        if size > MOST_BYTES:
            raise TranscriptTooLong
        entries.append(asdict(entry(history)))
    wanted = {"title": session.title, "model": session.model, "id": session.id, "entries": entries}
    data = await _set(json.dumps(wanted).encode())
    for start in range(0, len(data), _PIECE):
        yield data[start : start + _PIECE]


async def _set(wanted: bytes) -> bytes:
    async with _at_once:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.sessions.transcripts.typesetting",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(_SECONDS):
                data, _ = await process.communicate(wanted)
        except TimeoutError:
            raise TranscriptFailed from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    if process.returncode:
        raise TranscriptFailed
    return data
