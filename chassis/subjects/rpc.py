"""The DataSubjectService of every service.

(add_DataSubjectServiceServicer_to_server, SubjectRpc(runtime, documents, erase, kept={...}))
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any

import grpc

from chassis import timestamps
from chassis.audit.acts import PLATFORM
from chassis.database import Transaction
from chassis.runtime import Runtime
from chassis.subjects.documents import Document, audited
from chassis.subjects.subject import Subject
from wrtn.subjects.v1 import subjects_pb2
from wrtn.subjects.v1.subjects_pb2_grpc import DataSubjectServiceServicer

Context = grpc.aio.ServicerContext[Any, Any]
Documents = Callable[[Subject], Iterable[Document]]
Erase = Callable[[Transaction, Subject], Awaitable[Mapping[str, int]]]
"""Destroys what does not lie under the keys; answers all that is destroyed by now, by earlier calls too."""

_DESTROYED = "SELECT count(*) FROM wrtn_data_keys WHERE owner_id = ANY (%s) AND destroy_time IS NOT NULL"


class SubjectRpc(DataSubjectServiceServicer):
    """Hands out and destroys one service's part of a member's data."""

    def __init__(
        self,
        runtime: Runtime[Any],
        documents: Documents,
        erase: Erase | None = None,
        *,
        kept: Mapping[str, str],
    ) -> None:
        self._service = runtime.service
        self._db = runtime.db
        self._keyring = runtime.keyring
        self._documents = documents
        self._erase = erase
        self._kept = kept

    async def ExportSubject(
        self, request: subjects_pb2.ExportSubjectRequest, context: Context
    ) -> AsyncIterator[subjects_pb2.ExportSubjectResponse]:
        """One document after the other; one without rows is left out."""
        subject = Subject.of(request.subject)
        for each in (*self._documents(subject), audited(subject, self._keyring)):
            async for data in each.read(self._db):
                yield subjects_pb2.ExportSubjectResponse(document=each.document, data=data)

    async def EraseSubject(
        self, request: subjects_pb2.EraseSubjectRequest, context: Context
    ) -> subjects_pb2.EraseSubjectResponse:
        """All in one transaction: what is not confirmed has not happened."""
        subject = Subject.of(request.subject)
        async with self._db.transaction(subject.own) as tx:
            destroyed = dict(await self._erase(tx, subject)) if self._erase else {}
            for owner in subject.owners:
                await self._keyring.destroy(tx, owner)
            driver = await tx.driver()
            row = await (await driver.execute(_DESTROYED, (list(subject.owners),))).fetchone()
            destroyed["keys"] = row[0] if row else 0
            tx.audit("subject.erased", tenant_id=PLATFORM, target_id=subject.member_id)
            return subjects_pb2.EraseSubjectResponse(
                service=self._service,
                destroyed=destroyed,
                kept=self._kept,
                confirm_time=timestamps.of(tx.now),
            )
