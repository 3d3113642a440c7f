"""Errors as RFC 9457 problem documents that carry the google.rpc details.

The status codes are those that google/rpc/code.proto documents.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import grpc
from google.protobuf import json_format
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, http_pb2, status_pb2
from protobuf import DescMessage, Registry

from gateway.schema import json_path

CONTENT_TYPE = b"application/problem+json"
_CONTENT_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(; charset=utf-8)?")
DOMAIN = "gateway"
"""The `domain` of the errors that the gateway itself raises."""

HTTP_STATUS: Mapping[str, int] = {
    "OK": 200,
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
    "UNAUTHENTICATED": 401,
}

# What is said in place of a bare message of these codes: gRPC fills it with addresses and exception texts.
_SANITISED: Mapping[str, str] = {
    "UNKNOWN": "The service failed to answer this request.",
    "INTERNAL": "The service failed to answer this request.",
    "DATA_LOSS": "The service failed to answer this request.",
    "UNIMPLEMENTED": "The service does not implement this method.",
    "UNAVAILABLE": "The service behind this method cannot be reached now; try again shortly.",
    "DEADLINE_EXCEEDED": "The service did not answer within the time allowed.",
}

_DETAILS: Mapping[str, type[Message]] = {
    f"type.googleapis.com/{each.DESCRIPTOR.full_name}": each
    for each in (
        error_details_pb2.ErrorInfo,
        error_details_pb2.BadRequest,
        error_details_pb2.RetryInfo,
        error_details_pb2.QuotaFailure,
        error_details_pb2.PreconditionFailure,
        error_details_pb2.ResourceInfo,
        error_details_pb2.RequestInfo,
        error_details_pb2.Help,
        error_details_pb2.LocalizedMessage,
    )
}
_DEBUG = "type.googleapis.com/google.rpc.DebugInfo"
_RESPONSE = "type.googleapis.com/google.rpc.HttpResponse"


@dataclass
class Problem(Exception):
    """An error on its way out. `headers` go with it (Allow, Retry-After, ...)."""

    status: int
    code: str
    detail: str
    reason: str = ""
    domain: str = DOMAIN
    metadata: dict[str, str] = field(default_factory=dict)
    details: list[dict[str, Any]] = field(default_factory=list)
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    cause: str = ""
    """For the log alone: what the transport said of a backend that cannot be reached."""
    content_type: bytes = CONTENT_TYPE
    written: bytes | None = None
    """The body that the service wrote itself, for a protocol with errors of its own form."""

    def document(self, instance: str) -> dict[str, Any]:
        """Answers the members of the document; `instance` is the id of the request."""
        document: dict[str, Any] = {
            "type": f"urn:problem:{self.domain}:{self.reason}" if self.reason else "about:blank",
            "title": self.reason.replace("_", " ").capitalize() if self.reason else _phrase(self.status),
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "code": self.code,
        }
        if self.reason:
            document |= {"reason": self.reason, "domain": self.domain}
        if self.metadata:
            document["metadata"] = self.metadata
        if self.details:
            document["details"] = self.details
        return document

    def body(self, instance: str) -> bytes:
        """Answers the document as JSON, or what the service wrote in its place."""
        if self.written is not None:
            return self.written
        return json.dumps(self.document(instance), ensure_ascii=False).encode("utf-8", "replace")


def _phrase(status: int) -> str:
    return "Client closed request" if status == 499 else HTTPStatus(status).phrase


def invalid(reason: str, detail: str, violations: Sequence[tuple[str, str]] = ()) -> Problem:
    """A 400 that the gateway raises; `violations` are pairs of a JSON field path and what is wrong."""
    details: list[dict[str, Any]] = []
    if violations:
        pairs = [{"field": path, "description": text} for path, text in violations]
        details = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": pairs}]
    return Problem(400, "INVALID_ARGUMENT", detail, reason, details=details)


def refused(status: int, reason: str, detail: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> Problem:
    """Another 4xx that the gateway raises."""
    codes = {404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 408: "CANCELLED"}
    return Problem(status, codes.get(status, "INVALID_ARGUMENT"), detail, reason, headers=list(headers))


def of_rpc(
    code: grpc.StatusCode, message: str, status_bytes: bytes | None, request: DescMessage, registry: Registry
) -> Problem:
    """Translates the end of an RPC; `status_bytes` is its `grpc-status-details-bin`, if any."""
    status = _status(status_bytes)
    detail = message if status is not None or code.name not in _SANITISED else _SANITISED[code.name]
    problem = Problem(HTTP_STATUS[code.name], code.name, detail, domain="")
    if status is None and code is grpc.StatusCode.UNAVAILABLE:
        problem.cause = message
    for packed in status.details if status is not None else ():
        if packed.type_url == _RESPONSE:
            _write(problem, packed)
        elif packed.type_url != _DEBUG:
            problem.details.append(_detail(problem, packed, request, registry))
    if problem.status == 401:
        problem.headers.append((b"www-authenticate", b"Bearer"))
    return problem


def _write(problem: Problem, packed: AnyMessage) -> None:
    """Takes status, content type and body that the service wrote; whatever is not well-formed is left out."""
    try:
        response = http_pb2.HttpResponse.FromString(packed.value)
    except DecodeError:
        return
    said = {each.key.lower(): each.value for each in response.headers}
    kind = said.get("content-type", "")
    if 400 <= response.status <= 599 and _CONTENT_TYPE.fullmatch(kind):
        problem.status, problem.content_type = response.status, kind.encode()
        problem.written = response.body


def _status(data: bytes | None) -> status_pb2.Status | None:
    try:
        return status_pb2.Status.FromString(data) if data else None
    except DecodeError:
        return None


def _detail(problem: Problem, packed: AnyMessage, request: DescMessage, registry: Registry) -> dict[str, Any]:
    known = _DETAILS.get(packed.type_url)
    if known is None:
        return _foreign(packed, registry)
    try:
        detail = known.FromString(packed.value)
    except DecodeError:
        return _foreign(packed, registry)
    match detail:
        case error_details_pb2.ErrorInfo():
            problem.reason, problem.domain = detail.reason, detail.domain
            problem.metadata = dict(detail.metadata)
        case error_details_pb2.RetryInfo():
            seconds = detail.retry_delay.seconds + (detail.retry_delay.nanos > 0)
            problem.headers.append((b"retry-after", str(max(seconds, 0)).encode()))
        case error_details_pb2.BadRequest():
            for violation in detail.field_violations:
                violation.field = json_path(request, violation.field)
    return {"@type": packed.type_url, **json_format.MessageToDict(detail)}


def _foreign(packed: AnyMessage, registry: Registry) -> dict[str, Any]:
    """Decodes a detail of the served protos; keeps any other raw, by its type URL."""
    desc = registry.message(packed.type_url.rpartition("/")[2])
    if desc is not None:
        try:
            decoded = json.loads(desc.type.from_binary(packed.value).to_json(registry=registry))
        except ValueError:
            decoded = None
        if isinstance(decoded, dict):
            return {"@type": packed.type_url, **decoded}
    return {"@type": packed.type_url, "value": base64.b64encode(packed.value).decode()}
