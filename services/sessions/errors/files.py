"""Refusals about files."""

from __future__ import annotations

from chassis.errors import FailedPrecondition, InvalidArgument, NotFound


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
