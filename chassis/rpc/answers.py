"""What the client is told when a call fails."""

from __future__ import annotations

import grpc
from google.rpc.status_pb2 import Status

from chassis import errors
from chassis.errors import DomainError

STATUS_DETAILS = "grpc-status-details-bin"
"""The trailing metadata that carries google.rpc.Status."""

_PASSED_ON = {
    grpc.StatusCode.UNAVAILABLE: "PEER_UNAVAILABLE",
    grpc.StatusCode.DEADLINE_EXCEEDED: "DEADLINE_EXCEEDED",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "PEER_EXHAUSTED",
}
"""Failures of a peer that are no defect of ours; every other one is."""


def expected(error: Exception) -> bool:
    """Says whether the error is a refusal or an outage, not a defect."""
    return isinstance(error, DomainError) or (
        isinstance(error, grpc.aio.AioRpcError) and error.code() in _PASSED_ON
    )


def answer(error: Exception, request_id: str) -> tuple[grpc.StatusCode, Status]:
    """Answers the code and the details. A defect's own text stays here; the id finds it in the logs."""
    if isinstance(error, DomainError):
        return error.code, errors.to_status(error)
    if isinstance(error, grpc.aio.AioRpcError) and error.code() in _PASSED_ON:
        code = error.code()
        return code, errors.status(code, "A service that the call needs did not answer.", _PASSED_ON[code])
    code = grpc.StatusCode.INTERNAL
    message = f"An internal error occurred; it is logged as {request_id}."
    return code, errors.status(code, message, "INTERNAL", {"request_id": request_id})
