"""Domain errors become google.rpc details."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo

from chassis import errors
from chassis.errors import DomainError, FailedPrecondition, ResourceExhausted, to_status

CODES = {
    "InvalidArgument": grpc.StatusCode.INVALID_ARGUMENT,
    "NotFound": grpc.StatusCode.NOT_FOUND,
    "AlreadyExists": grpc.StatusCode.ALREADY_EXISTS,
    "FailedPrecondition": grpc.StatusCode.FAILED_PRECONDITION,
    "Aborted": grpc.StatusCode.ABORTED,
    "PermissionDenied": grpc.StatusCode.PERMISSION_DENIED,
    "Unauthenticated": grpc.StatusCode.UNAUTHENTICATED,
    "ResourceExhausted": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "Unavailable": grpc.StatusCode.UNAVAILABLE,
    "DeadlineExceeded": grpc.StatusCode.DEADLINE_EXCEEDED,
}


class TeamNotEmpty(FailedPrecondition):
    """A leaf error as a service has it."""

    reason = "TEAM_NOT_EMPTY"


@pytest.mark.parametrize(("name", "code"), CODES.items())
def test_each_class_has_its_code_and_says_its_reason(name: str, code: grpc.StatusCode) -> None:
    error: DomainError = getattr(errors, name)("No.")
    status = to_status(error)
    info = ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (status.code, status.message) == (code.value[0], "No.")
    assert (info.reason, info.domain) == (code.name, "wrtn")
    assert len(status.details) == 1


def test_a_leaf_error_tells_field_metadata_and_delay() -> None:
    status = to_status(TeamNotEmpty("It has companions.", field="team.id", retry_after=1.5, count=3))
    info, request, retry = ErrorInfo(), BadRequest(), RetryInfo()
    found: list[Message] = [info, request, retry]
    assert all(detail.Unpack(into) for detail, into in zip(status.details, found, strict=True))
    assert (info.reason, dict(info.metadata)) == ("TEAM_NOT_EMPTY", {"count": "3"})
    assert request.field_violations[0].field == "team.id"
    assert retry.retry_delay.ToMilliseconds() == 1500


def test_a_delay_of_zero_is_told() -> None:
    assert len(to_status(ResourceExhausted("Full.", retry_after=0)).details) == 2
