"""What this service refuses, each with its gRPC code and reason."""

from __future__ import annotations

from chassis.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)


class SessionNotFound(NotFound):
    """The session is unknown, deleted, or another account's."""

    reason = "SESSION_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("The session does not exist.")


class AccountNotFound(NotFound):
    """No session of the enterprise is of such an account."""

    reason = "ACCOUNT_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("The enterprise has no session of such an account.", field="account_id")


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


class FileNotFound(NotFound):
    """The file is unknown, deleted, or another session's; attached to a frame, also one that is not ready."""

    reason = "FILE_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("The file does not exist, or is not ready.")


class FileTooLarge(InvalidArgument):
    """No file may be as large."""

    reason = "FILE_TOO_LARGE"

    def __init__(self, most: int) -> None:
        super().__init__(f"A file has {most} bytes at most.", field="size")


class FileTypeRefused(InvalidArgument):
    """Files of this type are not taken."""

    reason = "FILE_TYPE_REFUSED"

    def __init__(self, media_type: str) -> None:
        super().__init__(f"Files of type {media_type} are not taken.", field="media_type")


class OffsetWrong(FailedPrecondition):
    """The content does not begin where what has arrived ends."""

    reason = "OFFSET_WRONG"

    def __init__(self, received: int) -> None:
        super().__init__(f"Go on from byte {received}.", field="offset", received_size=str(received))


class FileReady(FailedPrecondition):
    """The file is complete, and takes no more content."""

    reason = "FILE_READY"

    def __init__(self) -> None:
        super().__init__("The file is complete.")


class FileLongerThanDeclared(InvalidArgument):
    """There is more content than was declared; nothing of it was kept."""

    reason = "FILE_LONGER_THAN_DECLARED"

    def __init__(self) -> None:
        super().__init__("The content is longer than was declared; the file was deleted.", field="content")


class FileIncomplete(FailedPrecondition):
    """Content is missing, or was not looked at yet."""

    reason = "FILE_INCOMPLETE"

    def __init__(self, received: int) -> None:
        super().__init__(
            f"The file is not complete: {received} bytes have arrived.", received_size=str(received)
        )


class FileChecksumDiffers(InvalidArgument):
    """The content is not what was declared; nothing of it was kept."""

    reason = "FILE_CHECKSUM_DIFFERS"

    def __init__(self) -> None:
        super().__init__("The SHA-256 of the content is another; the file was deleted.", field="sha256")


class FileTypeDiffers(InvalidArgument):
    """The content is of another type than was declared; nothing of it was kept."""

    reason = "FILE_TYPE_DIFFERS"

    def __init__(self, media_type: str) -> None:
        super().__init__(f"The content is no {media_type}; the file was deleted.", field="media_type")


class NotEmployed(PermissionDenied):
    """The acting account is of an enterprise, and no employee's."""

    reason = "NOT_EMPLOYED"

    def __init__(self) -> None:
        super().__init__("The acting account is no employee's.")


class TeamNotFound(NotFound):
    """The enterprise has no such team."""

    reason = "TEAM_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("The team does not exist.", field="team_id")


class TeamNotJoined(FailedPrecondition):
    """The account's holder is no companion of the team."""

    reason = "TEAM_NOT_JOINED"

    def __init__(self) -> None:
        super().__init__("The account's holder is no companion of the team.", field="team_id")


class NotGranted(PermissionDenied):
    """The enterprise denies what the session needs; its streams end."""


class ModelNotGranted(NotGranted):
    """The enterprise does not let the account use the model on this team, or on none."""

    reason = "MODEL_NOT_GRANTED"

    def __init__(self) -> None:
        super().__init__("The model may not be used here: ask for the right to it.", field="model")


class ProcedureNotGranted(NotGranted):
    """The enterprise does not let the account use the procedure on this team, or on none."""

    reason = "PROCEDURE_NOT_GRANTED"

    def __init__(self) -> None:
        super().__init__("The procedure may not be used here: ask for the right to it.", field="procedure_id")


class FrameModelNotGranted(PermissionDenied):
    """A frame names another model than its session, and the enterprise denies it. The stream goes on."""

    reason = "MODEL_NOT_GRANTED"

    def __init__(self) -> None:
        super().__init__("The model may not be used here: ask for the right to it.", field="frame.model")


class TicketRefused(Unauthenticated):
    """The ticket is unknown, used, expired or of a tenant of others. It does not say which."""

    reason = "TICKET_REFUSED"

    def __init__(self) -> None:
        super().__init__("The ticket is not good.")


class RightRevoked(PermissionDenied):
    """The member's login ended, the account may act no more, or the credential was revoked."""

    reason = "RIGHT_REVOKED"

    def __init__(self) -> None:
        super().__init__("The member, the account or the credential may act no more.")


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


class SessionDeleted(FailedPrecondition):
    """The session was deleted while it was connected."""

    reason = "SESSION_DELETED"

    def __init__(self) -> None:
        super().__init__("The session was deleted.")


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


class ProcedureNotFound(NotFound):
    """The procedure is unknown, another enterprise's, or a draft that the caller does not keep."""

    reason = "PROCEDURE_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("The procedure does not exist.", field="procedure_id")


class ProcedureVersionNotFound(NotFound):
    """The procedure has no such version."""

    reason = "PROCEDURE_VERSION_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("The procedure has no such version.", field="version")


class ProcedureWithdrawn(FailedPrecondition):
    """No session is created with the procedure any more."""

    reason = "PROCEDURE_WITHDRAWN"

    def __init__(self) -> None:
        super().__init__("The procedure is withdrawn.", field="procedure_id")


class ProcedureDraft(FailedPrecondition):
    """The procedure was not published yet."""

    reason = "PROCEDURE_DRAFT"

    def __init__(self) -> None:
        super().__init__("The procedure is a draft: there is nothing to withdraw.", field="procedure_id")


class ProcedureCodeTaken(AlreadyExists):
    """Another procedure of the platform, or of the enterprise, has the code."""

    reason = "PROCEDURE_CODE_TAKEN"

    def __init__(self) -> None:
        super().__init__("Another procedure has this code.", field="code")


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


class WatchUnread(ResourceExhausted):
    """The watcher did not read what it was sent for too long, or not as fast as it was written."""

    reason = "WATCH_UNREAD"

    def __init__(self) -> None:
        super().__init__("What was sent was not read; watch again after the last sequence that came.")


class TooManyWatches(ResourceExhausted):
    """The member watches as much over this server as one member may."""

    reason = "TOO_MANY_WATCHES"

    def __init__(self) -> None:
        super().__init__("Too many sessions are watched at once; end some of them first.")
