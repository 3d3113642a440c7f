"""Exports: what every service holds about a member, gathered into one archive for that member alone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any, TypedDict
from uuid import UUID

from sqlalchemy import delete, insert, select

from chassis.blobs import Blobs
from chassis.crypto import DataKey
from chassis.database import Database, Scope, Snapshot, Transaction
from chassis.operations import Kind, Operations, Work
from chassis.operations.store import OperationRows, Row
from chassis.runtime import Runtime
from chassis.subjects import Subject
from services.identity.errors import ExportNotFound
from services.identity.mail import mails
from services.identity.mail.post import Post
from services.identity.models import Export
from services.identity.personal_data.archives import Entry, name_of, zipped
from services.identity.personal_data.holders import ALL, Holders
from services.identity.subjects import subject_of

KIND = "member.export"
LIFETIME = timedelta(days=7)
MOST = 8 * 1024**3
"""Bytes of one document, and of an archive."""


class Step(TypedDict):
    """How far an export is."""

    gathered: dict[str, list[Entry]]
    result: dict[str, str]
    """Empty until the archive is there."""


async def begin(tx: Transaction, operations: Operations, member_id: UUID) -> Row:
    """Begins an export of the scope's member, or answers the one that goes on."""
    tx.audit("member.export_asked", tenant_id=member_id, target_id=member_id)
    return await operations.begin(
        tx, KIND, tenant_id=member_id, member_id=member_id, key="export", total=len(ALL) + 1
    )


async def get(snapshot: Snapshot, member_id: UUID, export_id: UUID) -> Export:
    """Answers an export that the member may download; raises ExportNotFound."""
    query = select(Export).where(
        Export.member_id == member_id, Export.id == export_id, Export.expire_time > snapshot.now
    )
    found = await snapshot.session.scalar(query)
    if found is None:
        raise ExportNotFound("There is no such export, or it is older than 7 days.", field="export_id")
    return found


def blob_of(member_id: UUID, export_id: UUID) -> str:
    """Answers the name of an archive's blob."""
    return f"exports/{member_id}/{export_id}.zip"


async def purge(db: Database, blobs: Blobs) -> None:
    """Deletes the archives that are too old; a job's."""
    async with db.snapshot(Scope()) as snapshot:
        query = select(Export.member_id, Export.id).where(Export.expire_time <= snapshot.now).limit(1000)
        old = (await snapshot.session.execute(query)).all()
    for member_id, export_id in old:
        await blobs.delete(blob_of(member_id, export_id))
        async with db.transaction(Scope()) as tx:
            gone = delete(Export).where(Export.member_id == member_id, Export.id == export_id)
            await tx.session.execute(gone)


async def sweep(db: Database, blobs: Blobs) -> None:
    """Deletes what exports have left that failed, or whose member was erased meanwhile; a job's."""
    leavings: dict[tuple[UUID, UUID], list[str]] = {}
    async for name in blobs.names("exports"):
        _, member, export, *_ = name.removesuffix(".zip").split("/")
        leavings.setdefault((UUID(member), UUID(export)), []).append(name)
    for (member_id, export_id), names in leavings.items():
        async with db.snapshot(Scope.of(member_id, member_id=member_id)) as snapshot:
            work = await OperationRows(snapshot).get(export_id)
            kept = await snapshot.session.get(Export, (member_id, export_id))
        if work is not None and work.end_time is None:
            continue
        for name in names:
            if kept is None or name != blob_of(member_id, export_id):
                await blobs.delete(name)


class Exports:
    """Does the work of exports."""

    def __init__(self, runtime: Runtime[Any], blobs: Blobs, holders: Holders, post: Post) -> None:
        self._db: Database = runtime.db
        self._keyring = runtime.keyring
        self._blobs = blobs
        self._holders = holders
        self._post = post

    def kind(self) -> Kind:
        """Answers the kind of work that it does."""
        return Kind(KIND, self.run)

    async def run(self, work: Work) -> Mapping[str, str]:
        """Asks one service after the other, keeps each part, and puts the parts together at the end."""
        member_id = work.tenant_id
        async with self._db.transaction(Scope.of(member_id=member_id)) as tx:
            subject, key = await subject_of(tx, member_id), await self._keyring.key(tx, member_id)
        step: Step = json.loads(work.step) if work.step else {"gathered": {}, "result": {}}
        for service in ALL:
            if service not in step["gathered"]:
                step["gathered"][service] = await self._gather(work, service, subject, key)
                done, message = len(step["gathered"]), f"Got what {service} holds."
                await work.save(json.dumps(step), done=done, total=len(ALL) + 1, message=message)
        entries = [each for service in ALL for each in step["gathered"][service]]
        if not step["result"]:
            await self._archive(work, step, entries, key)
        for each in entries:
            await self._blobs.delete(_part(work, each))
        return step["result"]

    async def _gather(self, work: Work, service: str, subject: Subject, key: DataKey) -> list[Entry]:
        """Keeps each document of a service as a blob; what an earlier try has kept is written over."""
        answers = aiter(self._holders.export(service, subject))
        entries: list[Entry] = []
        answer = await anext(answers, None)
        while answer is not None:
            entry: Entry = {"service": service, "document": answer.document, "size": 0, "sha256": ""}

            async def parts(name: str = answer.document) -> AsyncIterator[bytes]:
                nonlocal answer
                while answer is not None and answer.document == name:
                    yield answer.data
                    answer = await anext(answers, None)

            blob = await self._blobs.put(_part(work, entry), parts(), key=key, most=MOST)
            entries.append({**entry, "size": blob.size, "sha256": blob.sha256.hex()})
        return entries

    async def _archive(self, work: Work, step: Step, entries: list[Entry], key: DataKey) -> None:
        """Puts the parts together, lets the member download it and tells them."""
        member_id = work.tenant_id
        archive = await self._blobs.put(
            blob_of(member_id, work.id),
            zipped(entries, lambda each: self._blobs.get(_part(work, each), key=key)),
            key=key,
            most=MOST,
        )
        size, digest = archive.size, archive.sha256.hex()
        step["result"] = {"export_id": str(work.id), "size": str(size), "sha256": digest}
        async with self._db.transaction(Scope.of(member_id=member_id)) as tx:
            row = {
                "member_id": member_id,
                "id": work.id,
                "size": size,
                "create_time": tx.now,
                "expire_time": tx.now + LIFETIME,
            }
            await tx.session.execute(insert(Export).values(row))
            await mails.to_member(tx, self._keyring, self._post, member_id, "export_ready", {})
            tx.audit("member.exported", tenant_id=member_id, target_id=member_id)
            await work.advance(tx, json.dumps(step), done=len(ALL) + 1, message="The archive is ready.")


def _part(work: Work, entry: Entry) -> str:
    return f"exports/{work.tenant_id}/{work.id}/{name_of(entry)}"
