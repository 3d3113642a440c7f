"""Erasures: a member's end in every service, journalled before it begins, certified when all confirmed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, TypedDict
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from chassis.blobs import Blobs
from chassis.call import Caller
from chassis.crypto import Keyring
from chassis.database import Scope, Transaction
from chassis.operations import Kind, Operations, Wait, Work, beginning
from chassis.operations.store import OperationRows, Row
from chassis.runtime import Runtime
from chassis.subjects import Subject
from services.identity import subjects
from services.identity.accounts.reach import Reach
from services.identity.errors import MemberEmployed, MemberHasNoAddress, MemberIsStaff
from services.identity.mail import mails
from services.identity.mail.post import Post
from services.identity.members import members
from services.identity.models import PLATFORM, ErasureCertificate, Export, Mail, MailState, MemberState
from services.identity.personal_data import certificates
from services.identity.personal_data.exports import blob_of
from services.identity.personal_data.holders import OTHERS, OWN, Holders
from services.identity.store import Holds, Members

KIND = "member.erase"
GRACE = timedelta(days=7)
"""How long a member may undo their wish."""
JOURNAL = "erasures"
"""The folder of the journal, in the store of files: outside of what a restore of a database brings back."""
LAPSE = timedelta(seconds=60)
"""How long a process may keep a key in memory after it was destroyed (chassis.crypto.Keyring)."""
MAILING = timedelta(hours=1)
"""How long an erasure waits at most for a mail that does not leave."""
_MAILED_SOON = 1
"""Seconds until it looks again whether the mails have left."""
_LEGAL = "LEGAL"
_ASK_AGAIN = 3600
"""Seconds until an erasure that is held by law looks again."""


class Asked(TypedDict):
    """What an erasure begins with. Ids alone."""

    member_id: str
    asked_by: str
    journalled: str
    """The erasure of the journal that is applied again; empty for a new one."""
    personal_account_ids: list[str]
    """Of the journal's erasure; those of a new one are read when it begins."""


class Confirmation(TypedDict):
    """What a service confirmed."""

    destroyed: dict[str, int]
    kept: dict[str, str]
    time: str


class Step(TypedDict):
    """How far an erasure is."""

    personal_account_ids: list[str]
    confirmed: dict[str, Confirmation]


async def ask(
    tx: Transaction, keyring: Keyring, post: Post, operations: Operations, member_id: UUID, caller: Caller
) -> Row:
    """Begins the erasure of the scope's member: after the grace if they ask themselves, else at once.

    Raises MemberNotFound and MemberIsStaff.
    """
    member = await Members(tx).lock(member_id)
    if member is None or member.state == MemberState.ERASED:
        raise members.not_found()
    if member.staff_right:
        raise MemberIsStaff("The member holds a right as staff; have it taken first.", field="member_id")
    own = caller.member_id == member_id
    waiting = await OperationRows(tx).live(PLATFORM, KIND, str(member_id))
    if waiting is not None and not own:
        # Whoever decides that it is now does not wait for the grace.
        await OperationRows(tx).cancel(waiting.id, running=False)
    begun = await operations.begin(
        tx,
        KIND,
        tenant_id=PLATFORM,
        member_id=caller.member_id,
        request=_request(member_id, str(caller.member_id)),
        key=str(member_id),
        start_time=tx.now + GRACE if own else tx.now,
        total=len(OTHERS) + 1,
    )
    if waiting is None or waiting.id != begun.id:
        values = {
            "until": f"{begun.start_time:%Y-%m-%d %H:%M} UTC",
            "token": certificates.token(keyring, member_id),
        }
        with suppress(MemberHasNoAddress):
            template = "erasure_asked" if own else "erasure_decided"
            await mails.to_member(tx, keyring, post, member_id, template, values)
    return begun


def refuse_employed(employers: Sequence[UUID]) -> None:
    """Raises MemberEmployed, naming the enterprises, if there are any."""
    if employers:
        raise MemberEmployed(
            "The member works in enterprises; leave them first, or be dismissed, so that the accounts there"
            " are handed over.",
            field="member_id",
            enterprise_ids=",".join(map(str, employers)),
        )


async def apply_again(tx: Transaction, keyring: Keyring, note: Mapping[str, Any]) -> Row:
    """Begins an erasure of the journal once more, for a database that was restored. Its scope: PLATFORM."""
    request: Asked = {
        "member_id": note["member_id"],
        "asked_by": note["asked_by"],
        "journalled": note["erasure_id"],
        "personal_account_ids": note["personal_account_ids"],
    }
    return await beginning.begin(
        tx,
        keyring,
        KIND,
        tenant_id=PLATFORM,
        request=json.dumps(request).encode(),
        key=note["member_id"],
        total=len(OTHERS) + 1,
    )


class Erasures:
    """Does the work of erasures."""

    def __init__(self, runtime: Runtime[Any], blobs: Blobs, holders: Holders, reach: Reach) -> None:
        self._db = runtime.db
        self._keyring = runtime.keyring
        self._cache = runtime.principals
        self._blobs = blobs
        self._holders = holders
        self._reach = reach

    def kind(self) -> Kind:
        """Answers the kind of work that it does; once begun it cannot be stopped."""
        return Kind(KIND, self.run, cancellable=False, most_failures=1000)

    async def run(self, work: Work) -> Mapping[str, str]:
        """Bars the member, has every service destroy its part, then identity's own, and certifies it."""
        asked: Asked = json.loads(work.request)
        member_id = UUID(asked["member_id"])
        step: Step = json.loads(work.step) if work.step else await self._begun(work, asked, member_id)
        subject = Subject(member_id, tuple(UUID(each) for each in step["personal_account_ids"]))
        for service in OTHERS:
            if service not in step["confirmed"]:
                answer = await self._holders.erase(service, subject)
                step["confirmed"][service] = {
                    "destroyed": dict(answer.destroyed),
                    "kept": dict(answer.kept),
                    "time": answer.confirm_time.ToJsonString(),
                }
                done = len(step["confirmed"])
                await work.save(json.dumps(step), done=done, message=f"{service} has confirmed.")
        if OWN not in step["confirmed"]:
            await self._mailed(member_id)
            await self._own(work, step, subject)
        left = LAPSE - (work.clock.now() - datetime.fromisoformat(step["confirmed"][OWN]["time"]))
        if left > timedelta():
            raise Wait("Waits until no process has a key in memory any more.", left.total_seconds() + 1)
        return await self._certify(work, asked, step)

    async def _begun(self, work: Work, asked: Asked, member_id: UUID) -> Step:
        """Waits while the law holds it, writes the journal, and ends everything by which the member acts."""
        async with self._db.snapshot(Scope.of(member_id=member_id)) as snapshot:
            held = [each.reason for each in await Holds(snapshot).all(member_id)]
            found = await subjects.subject_of(snapshot, member_id)
        if _LEGAL in held and not asked["journalled"]:
            raise Wait("Waits: the data is held for legal reasons.", _ASK_AGAIN)
        if not asked["journalled"] and await self._reach.employers(member_id):
            raise Wait("Waits until the member has left the enterprises that hired them since.", _ASK_AGAIN)
        accounts = asked["personal_account_ids"] or [str(each) for each in found.personal_account_ids]
        note = {
            "erasure_id": asked["journalled"] or str(work.id),
            "member_id": asked["member_id"],
            "asked_by": asked["asked_by"],
            "personal_account_ids": accounts,
        }
        await self._blobs.note(f"{JOURNAL}/{note['erasure_id']}.json", json.dumps(note).encode())
        step: Step = {"personal_account_ids": accounts, "confirmed": {}}
        async with self._db.transaction(Scope.of(member_id=member_id)) as tx:
            await subjects.bar(tx, member_id)
            tx.audit("member.erasure_begun", tenant_id=PLATFORM, target_id=member_id, operation=work.id)
            await work.advance(tx, json.dumps(step), done=0, message="The member can sign in no more.")
        self._cache.drop([member_id])
        return step

    async def _mailed(self, member_id: UUID) -> None:
        """Waits until the member was written to: the address goes with the rest, and so does the queue."""
        async with self._db.snapshot(Scope()) as snapshot:
            queued = select(Mail.id).where(
                Mail.member_id == member_id,
                Mail.state == MailState.QUEUED,
                Mail.create_time > snapshot.now - MAILING,
            )
            if await snapshot.session.scalar(queued.limit(1)) is not None:
                raise Wait("Waits until the mails to the member have left.", _MAILED_SOON)

    async def _own(self, work: Work, step: Step, subject: Subject) -> None:
        """Destroys identity's part, in the transaction that says so."""
        async with self._db.snapshot(Scope()) as snapshot:
            query = select(Export.id).where(Export.member_id == subject.member_id)
            exports = (await snapshot.session.scalars(query)).all()
        for export_id in exports:
            await self._blobs.delete(blob_of(subject.member_id, export_id))
        async with self._db.transaction(subject.own) as tx:
            destroyed = dict(await subjects.erase(tx, subject))
            await tx.session.flush()
            for owner in subject.owners:
                await self._keyring.destroy(tx, owner)
            destroyed["keys"] = len(subject.owners)
            step["confirmed"][OWN] = {
                "destroyed": destroyed,
                "kept": subjects.KEPT,
                "time": tx.now.isoformat(),
            }
            tx.audit("member.erased", tenant_id=PLATFORM, target_id=subject.member_id, operation=work.id)
            await work.advance(tx, json.dumps(step), done=len(OTHERS) + 1, message="All have confirmed.")

    async def _certify(self, work: Work, asked: Asked, step: Step) -> Mapping[str, str]:
        erasure_id = UUID(asked["journalled"]) if asked["journalled"] else work.id
        document = json.dumps(
            {
                "erasure_id": str(erasure_id),
                "member_id": asked["member_id"],
                "asked_by": asked["asked_by"],
                "personal_account_ids": step["personal_account_ids"],
                "services": step["confirmed"],
            },
            indent=1,
            sort_keys=True,
        )
        digest = hashlib.sha256(document.encode())
        async with self._db.transaction(Scope()) as tx:
            row = {
                "id": work.id,
                "member_id": UUID(asked["member_id"]),
                "document": document,
                "hash": digest.digest(),
                "create_time": tx.now,
            }
            added = insert(ErasureCertificate).values(row).on_conflict_do_nothing()
            await tx.session.execute(added)
            # The chain of the audit trail vouches for the document from here on.
            tx.audit(
                "member.erasure_certified",
                tenant_id=PLATFORM,
                target_id=UUID(asked["member_id"]),
                certificate=work.id,
                sha256=digest.hexdigest(),
            )
        return {"erasure_id": str(work.id), "sha256": digest.hexdigest()}


def _request(member_id: UUID, asked_by: str) -> bytes:
    request: Asked = {
        "member_id": str(member_id),
        "asked_by": asked_by,
        "journalled": "",
        "personal_account_ids": [],
    }
    return json.dumps(request).encode()
