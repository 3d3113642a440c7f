"""A transcript as PDF: set by a process of its own, so that it costs the recorder neither time nor memory."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import asdict

from chassis.typesetting import TypesettingFailed, typeset
from services.sessions.errors import TranscriptFailed, TranscriptTooLong
from services.sessions.transcripts.entries import entry
from services.sessions.transcripts.reading import Transcript

MOST_BYTES = 2 * 1024 * 1024
"""Bodies of a session that are set as PDF."""
_TYPESETTER = "services.sessions.transcripts.typesetting"


async def write(transcript: Transcript) -> AsyncIterator[bytes]:
    """Yields the document. Raises TranscriptTooLong and TranscriptFailed."""
    entries, size = [], 0
    async for history in transcript.histories():
        size += len(history.body)
        if size > MOST_BYTES:
            raise TranscriptTooLong
        entries.append(asdict(entry(history)))
    wanted = {
        "title": transcript.title,
        "subject": transcript.subject,
        "id": transcript.session.id,
        "entries": entries,
    }
    try:
        async for data in typeset(_TYPESETTER, json.dumps(wanted).encode()):
            yield data
    except TypesettingFailed:
        raise TranscriptFailed from None
