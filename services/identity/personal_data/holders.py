"""The services that hold data of members: asked one after the other, identity itself as one of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, cast

import grpc

from chassis.operations import Wait
from chassis.runtime import Runtime
from chassis.subjects import Subject, SubjectRpc
from wrtn.subjects.v1 import subjects_pb2
from wrtn.subjects.v1.subjects_pb2_grpc import DataSubjectServiceStub

if TYPE_CHECKING:
    from wrtn.subjects.v1.subjects_pb2_grpc import DataSubjectServiceAsyncStub

Part = subjects_pb2.ExportSubjectResponse

OTHERS = ("enterprise", "sessions", "billing", "analytics")
OWN = "identity"
ALL = (OWN, *OTHERS)

_PATIENCE = 5
_LONGEST = 3600
"""Seconds of one service's answer."""
_DOWN = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)


class Holders:
    """Asks a service for its part of a member's data. A service that does not answer is waited for."""

    def __init__(self, runtime: Runtime[Any], own: SubjectRpc) -> None:
        self._peers = runtime.peers
        self._own = own

    async def export(self, service: str, subject: Subject) -> AsyncIterator[Part]:
        """Yields the parts of the service's documents; raises Wait while it is down."""
        request = subjects_pb2.ExportSubjectRequest(subject=subject.message())
        try:
            if service == OWN:
                answers: Any = self._own.ExportSubject(request, cast("Any", None))
            else:
                answers = self._stub(service).ExportSubject(request, timeout=_LONGEST)
            async for answer in answers:
                yield answer
        except grpc.aio.AioRpcError as error:
            raise _waiting(service, error) from error

    async def erase(self, service: str, subject: Subject) -> subjects_pb2.EraseSubjectResponse:
        """Has another service destroy its part; raises Wait while it is down."""
        request = subjects_pb2.EraseSubjectRequest(
            subject=Subject(subject.member_id, subject.personal_account_ids).message()
        )
        try:
            return await self._stub(service).EraseSubject(request, timeout=60)
        except grpc.aio.AioRpcError as error:
            raise _waiting(service, error) from error

    def _stub(self, service: str) -> DataSubjectServiceAsyncStub:
        return self._peers.stub(DataSubjectServiceStub, service)


def _waiting(service: str, error: grpc.aio.AioRpcError) -> Exception:
    if error.code() in _DOWN:
        return Wait(f"Waits for {service}, which does not answer.", _PATIENCE)
    return error
