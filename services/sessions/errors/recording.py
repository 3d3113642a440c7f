"""Refusals about connections and what is recorded over them."""

from __future__ import annotations

from chassis.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    Unavailable,
)


class ConnectionNotFound(NotFound):
    """The connection is unknown, not the credential's, or broke too long ago to be continued."""

    reason = "CONNECTION_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("The connection does not exist.")


class ConnectionClosed(FailedPrecondition):
    """The connection ended."""

    reason = "CONNECTION_CLOSED"

    def __init__(self) -> None:
        super().__init__("The connection ended.")


class HistoryConflict(AlreadyExists):
    """The id is taken by a history that differs."""

    reason = "HISTORY_CONFLICT"

    def __init__(self) -> None:
        super().__init__("The id is taken by another history.", field="id")


class BodyInvalid(InvalidArgument):
    """The body is no JSON (RFC 8259)."""

    reason = "BODY_INVALID"

    def __init__(self) -> None:
        super().__init__("The body is not valid JSON.", field="body")


class ReservationUnused(InvalidArgument):
    """The frame names a reservation, and no usage that would settle it."""

    reason = "RESERVATION_UNUSED"

    def __init__(self) -> None:
        super().__init__("A reservation goes with the usage that settles it.", field="reservation_id")


class UnitsInvalid(InvalidArgument):
    """More input tokens are said to be of the model's cache than there are."""

    reason = "UNITS_INVALID"

    def __init__(self) -> None:
        sentence = "Cached and cache-written tokens together may not exceed token_usage.input.total."
        super().__init__(sentence, field="units.cache_write_tokens")


class HistoryRefused(InvalidArgument):
    """The database takes no such value. Sending it again does not help."""

    reason = "HISTORY_REFUSED"

    def __init__(self) -> None:
        super().__init__("The history cannot be stored.")


class OpenFirst(InvalidArgument):
    """The first message of a stream must open it, and no later one may."""

    reason = "OPEN_FIRST"

    def __init__(self) -> None:
        super().__init__("The first message must be `open`, and only that.")


class AcksUnread(ResourceExhausted):
    """The client did not read what it was sent for too long."""

    reason = "ACKS_UNREAD"

    def __init__(self) -> None:
        super().__init__("The acks were not read; reconnect and resume.")


class RecorderBusy(ResourceExhausted):
    """More frames wait to be stored than the process allows; it refuses early rather than late."""

    reason = "RECORDER_BUSY"

    def __init__(self) -> None:
        super().__init__("The recorder is busy; try again.", retry_after=0.5)


class FateUnknown(Unavailable):
    """The frame may be stored or not. Sending it again is safe, and settles it."""

    reason = "FATE_UNKNOWN"

    def __init__(self) -> None:
        super().__init__("The history could not be confirmed; send it again.", retry_after=0.5)


class TooManyDeltas(ResourceExhausted):
    """The stream sent more pieces of answers than one may."""

    reason = "TOO_MANY_DELTAS"

    def __init__(self) -> None:
        super().__init__("The pieces come too fast; send fewer and longer ones.", retry_after=1)
