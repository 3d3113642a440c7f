"""The whole of a session as one document: JSON for programs, Markdown and PDF for people."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from services.sessions.transcripts import documents, markdown, printing
from services.sessions.transcripts.reading import Transcript
from wrtn.sessions.v1.chat_sessions_pb2 import ExportChatSessionRequest as Request


@dataclass(frozen=True, slots=True)
class Format:
    """How a transcript is written."""

    content_type: str
    ending: str
    write: Callable[[Transcript], AsyncIterator[bytes]]


_JSON = Format("application/json", "json", documents.write)

FORMATS = {
    Request.FORMAT_UNSPECIFIED: _JSON,
    Request.FORMAT_JSON: _JSON,
    Request.FORMAT_MARKDOWN: Format("text/markdown; charset=utf-8", "md", markdown.write),
    Request.FORMAT_PDF: Format("application/pdf", "pdf", printing.write),
}

__all__ = ["FORMATS", "Format", "Transcript"]
