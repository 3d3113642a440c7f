"""What may go wrong while a conversation is recorded."""

from __future__ import annotations

from typing import Literal

import grpc

EndReason = Literal[
    "closed", "session_deleted", "right_revoked", "account_transferred", "refused", "unreachable"
]
"""Why a recording ended: closed by us; its session was deleted; a right was revoked; the service refuses to
open or resume it; or it could not be reached for too long."""

PASSING = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.INTERNAL,  # grpc.aio says so itself when a write finds the connection gone
}
"""Codes after which another try may well go through."""


class FrameRejected(Exception):
    """The service refused one frame; nothing of it is stored, and the recording goes on."""

    def __init__(self, frame_id: str, code: int, message: str) -> None:
        super().__init__(message)
        self.frame_id = frame_id
        self.code = code
        """A gRPC status code."""


class RecordingEnded(Exception):
    """The recording ended, and what was not acknowledged by then is not stored for certain."""

    def __init__(self, why: EndReason, message: str, code: grpc.StatusCode | None = None) -> None:
        super().__init__(message)
        self.why = why
        self.code = code


class TooManyPending(Exception):
    """More frames wait for their acknowledgement than may."""

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} frames wait for their acknowledgement: await one before more are sent")


class Broken(Exception):
    """A stream was lost; the recording comes back on another."""
