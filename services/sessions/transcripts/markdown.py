"""A transcript as Markdown, written as it is read."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from services.sessions.transcripts.entries import Passage, entry
from services.sessions.transcripts.reading import Transcript

_TICKS = re.compile("`{3,}")


async def write(transcript: Transcript) -> AsyncIterator[bytes]:
    """Yields the document. What was said stands in it as Markdown, since models speak it."""
    yield f"# {transcript.title}\n\n{transcript.subject} · {transcript.session.id}\n".encode()
    async for history in transcript.histories():
        shown = entry(history)
        passages = "\n\n".join(_passage(each) for each in shown.passages)
        yield f"\n## {shown.heading}\n\n{passages}\n".encode()


def _passage(passage: Passage) -> str:
    if not passage.code:
        return passage.text
    longest = max((len(each) for each in _TICKS.findall(passage.text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}\n{passage.text}\n{fence}"
