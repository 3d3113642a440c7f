"""Refusals about sessions."""

from __future__ import annotations

from chassis.errors import FailedPrecondition, NotFound


class SessionNotFound(NotFound):
    """The session is unknown, deleted, or another account's."""

    reason = "SESSION_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("The session does not exist.")


class SessionDeleted(FailedPrecondition):
    """The session was deleted while it was connected."""

    reason = "SESSION_DELETED"

    def __init__(self) -> None:
        super().__init__("The session was deleted.")
