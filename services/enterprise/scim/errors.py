"""What SCIM refuses, and how every refusal is answered in SCIM's own form."""

from __future__ import annotations

from typing import ClassVar

import scim2_models
from google.rpc.http_pb2 import HttpHeader, HttpResponse
from pydantic import ValidationError

from chassis.errors import (
    Aborted,
    AlreadyExists,
    DomainError,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
)

CONTENT_TYPE = "application/scim+json"

_STATUS = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
_MOST_DETAIL = 1000
"""Characters: what is refused may be long, and gRPC carries errors in its headers."""


class ScimFilterInvalid(InvalidArgument):
    """The filter is malformed, or wants what is not supported."""

    reason = "SCIM_FILTER_INVALID"
    scim_type: ClassVar[str] = "invalidFilter"


class ScimSyntaxInvalid(InvalidArgument):
    """The document is no JSON, or has not the structure that SCIM wants."""

    reason = "SCIM_SYNTAX_INVALID"
    scim_type: ClassVar[str] = "invalidSyntax"


class ScimPathInvalid(InvalidArgument):
    """The path of an operation is malformed."""

    reason = "SCIM_PATH_INVALID"
    scim_type: ClassVar[str] = "invalidPath"


class ScimValueInvalid(InvalidArgument):
    """A value is missing, or does not fit its attribute."""

    reason = "SCIM_VALUE_INVALID"
    scim_type: ClassVar[str] = "invalidValue"


class ScimNoTarget(InvalidArgument):
    """The path of an operation names a value that is not there."""

    reason = "SCIM_NO_TARGET"
    scim_type: ClassVar[str] = "noTarget"


class ScimNotMutable(InvalidArgument):
    """The attribute is read-only."""

    reason = "SCIM_NOT_MUTABLE"
    scim_type: ClassVar[str] = "mutability"


class ScimDomainNotVerified(InvalidArgument):
    """The enterprise has not proven the domain of the user's address."""

    reason = "SCIM_DOMAIN_NOT_VERIFIED"
    scim_type: ClassVar[str] = "invalidValue"


class ScimNotUnique(AlreadyExists):
    """Another user has the userName or is the same employee, or another group the externalId."""

    reason = "SCIM_NOT_UNIQUE"
    scim_type: ClassVar[str] = "uniqueness"


class ScimGroupAmbiguous(AlreadyExists):
    """Several teams have the group's name, so none of them can be meant."""

    reason = "SCIM_GROUP_AMBIGUOUS"
    scim_type: ClassVar[str] = "uniqueness"


class ScimGroupHasTeams(FailedPrecondition):
    """Teams stand below the group's, and they are people's own."""

    reason = "SCIM_GROUP_HAS_TEAMS"


class ScimResourceNotFound(NotFound):
    """SCIM has provisioned no such resource here."""

    reason = "SCIM_RESOURCE_NOT_FOUND"


class ScimResourceChanged(Aborted):
    """The resource has another version than If-Match says."""

    reason = "SCIM_RESOURCE_CHANGED"
    status: ClassVar[int] = 412


class ScimDocumentTooLarge(ResourceExhausted):
    """The document is longer than 1 MiB."""

    reason = "SCIM_DOCUMENT_TOO_LARGE"
    status: ClassVar[int] = 413


_BY_TYPE: dict[str, type[DomainError]] = {
    each.scim_type: each
    for each in (
        ScimFilterInvalid,
        ScimSyntaxInvalid,
        ScimPathInvalid,
        ScimNoTarget,
        ScimNotMutable,
        ScimValueInvalid,
    )
}


def refusal(error: scim2_models.SCIMException | ValidationError) -> DomainError:
    """Answers our error for what the library refuses; of several it names the first."""
    if isinstance(error, ValidationError):
        first = scim2_models.Error.from_validation_errors(error)[0]
        scim_type, detail = first.scim_type, first.detail
    else:
        scim_type, detail = error.scim_type, str(error)
    return _BY_TYPE.get(scim_type or "", ScimValueInvalid)(
        (detail or "The value is not taken.")[:_MOST_DETAIL]
    )


def written(error: DomainError) -> HttpResponse:
    """Answers the refusal as SCIM's own error document (RFC 7644, 3.12).

    What the state of a thing forbids, as dismissing the last owner, is "mutability" there.
    """
    status = getattr(error, "status", _STATUS.get(error.code.name, 500))
    state = "mutability" if isinstance(error, FailedPrecondition) else None
    document = scim2_models.Error(
        status=status, scim_type=getattr(error, "scim_type", state), detail=error.message[:_MOST_DETAIL]
    )
    return HttpResponse(
        status=status,
        headers=[HttpHeader(key="Content-Type", value=CONTENT_TYPE)],
        body=document.model_dump_json().encode(),
    )
