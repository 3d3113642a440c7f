"""Domain errors: what a use case raises, and how it reaches the client as `google.rpc` details.

A service derives leaf errors that name their reason:

    class TeamNotEmpty(FailedPrecondition):
        reason = "TEAM_NOT_EMPTY"

    raise TeamNotEmpty("The team still has companions.", field="id")
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.http_pb2 import HttpResponse
from google.rpc.status_pb2 import Status

DOMAIN = "wrtn"


class DomainError(Exception):
    """An expected refusal. Its message is written for the client and holds no content.

    `field` is the request field at fault (dots reach into messages), `retry_after` seconds after
    which the same call may succeed; further keywords become ErrorInfo metadata.
    """

    code: ClassVar[grpc.StatusCode]
    reason: ClassVar[str]

    def __init__(
        self, message: str, *, field: str | None = None, retry_after: float | None = None, **metadata: object
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.retry_after = retry_after
        self.metadata = {key: str(value) for key, value in metadata.items()}
        self.response: HttpResponse | None = None
        """The whole answer over HTTP, where a protocol wants errors in a form of its own."""

    def violations(self) -> list[tuple[str, str]]:
        """Answers the request fields at fault, each with a sentence."""
        return [(self.field, self.message)] if self.field else []


class InvalidArgument(DomainError):
    """The request is wrong in itself, whatever the state of the system."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "INVALID_ARGUMENT"


class NotFound(DomainError):
    """The thing does not exist, or the caller may not know that it does: both look the same."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "NOT_FOUND"


class AlreadyExists(DomainError):
    """A thing with this id or unique value exists already."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "ALREADY_EXISTS"


class FailedPrecondition(DomainError):
    """The state of the thing does not allow the call; repeating it does not help."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "FAILED_PRECONDITION"


class Aborted(DomainError):
    """A concurrent change got in the way; reading again and repeating may help."""

    code = grpc.StatusCode.ABORTED
    reason = "ABORTED"


class PermissionDenied(DomainError):
    """The caller may know of the thing and may not do this to it."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = "PERMISSION_DENIED"


class Unauthenticated(DomainError):
    """The call carries no valid credential."""

    code = grpc.StatusCode.UNAUTHENTICATED
    reason = "UNAUTHENTICATED"


class ResourceExhausted(DomainError):
    """A limit or quota is reached; `retry_after` says when to come again."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "RESOURCE_EXHAUSTED"


class Unavailable(DomainError):
    """Something the call needs cannot be reached now; repeating may help."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "UNAVAILABLE"


class DeadlineExceeded(DomainError):
    """The call's time is over; whether it had an effect is not known."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXCEEDED"


def to_status(error: DomainError) -> Status:
    """Answers the error as google.rpc.Status: ErrorInfo always, other details where they apply."""
    answer = status(
        error.code,
        error.message,
        error.reason,
        error.metadata,
        violations=error.violations(),
        retry_after=error.retry_after,
    )
    if error.response is not None:
        answer.details.add().Pack(error.response)
    return answer


def status(
    code: grpc.StatusCode,
    message: str,
    reason: str,
    metadata: dict[str, str] | None = None,
    *,
    violations: Iterable[tuple[str, str]] = (),
    retry_after: float | None = None,
) -> Status:
    """Builds a status with its details. `violations` are pairs of field path and sentence."""
    answer = Status(code=code.value[0], message=message)
    _pack(answer, ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata or {}))
    found = [BadRequest.FieldViolation(field=path, description=sentence) for path, sentence in violations]
    if found:
        _pack(answer, BadRequest(field_violations=found))
    if retry_after is not None:
        delay = Duration()
        delay.FromNanoseconds(int(retry_after * 1e9))
        _pack(answer, RetryInfo(retry_delay=delay))
    return answer


def _pack(answer: Status, detail: Message) -> None:
    answer.details.add().Pack(detail)
