"""Refusals about holds and transcripts."""

from __future__ import annotations

from chassis.errors import FailedPrecondition, NotFound, Unavailable


class HoldNotFound(NotFound):
    """The hold is unknown, another enterprise's, or ended."""

    reason = "HOLD_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("The hold does not exist.")


class TranscriptTooLong(FailedPrecondition):
    """So much text makes no PDF."""

    reason = "TRANSCRIPT_TOO_LONG"

    def __init__(self) -> None:
        super().__init__("The session is too long for a PDF: ask for JSON or Markdown.", field="format")


class TranscriptFailed(Unavailable):
    """The PDF was not made in time."""

    reason = "TRANSCRIPT_FAILED"

    def __init__(self) -> None:
        super().__init__("The PDF could not be made now; try again.", retry_after=10)
